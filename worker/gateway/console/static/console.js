/* Live figures, charts, the waveform and shortcuts. Every page works without this file. */
(() => {
  "use strict";
  const byId = (id) => document.getElementById(id);
  const MIN_REFRESH_MS = 2000;
  const POLL_MS = 5000;
  const ANNOUNCE_MS = 5000;

  /* Live: one stream a page signals changes; the page then fetches its live part and morphs it. */
  let stream = null, poll = null, lastEvent = "", lastRefresh = 0, pending = null, announced = 0;

  const label = (text) => { const place = byId("live-state"); if (place) place.textContent = text; };

  function isBusy(live) {
    if (live.querySelector("details[open].asked")) return true;
    const focused = document.activeElement;
    return live.contains(focused) && ["INPUT", "SELECT", "TEXTAREA"].includes(focused.tagName);
  }

  function refresh() {
    clearTimeout(pending);
    pending = null;
    const live = byId("live");
    if (!live || !live.hasAttribute("hx-get")) return;
    const wait = lastRefresh + MIN_REFRESH_MS - Date.now();
    if (wait > 0 || isBusy(live)) {
      pending = setTimeout(refresh, Math.max(wait, 500));
      return;
    }
    lastRefresh = Date.now();
    htmx.trigger(live, "refresh");
  }

  function startPolling() {
    label("Live by polling");
    poll ??= setInterval(() => { pass({}); refresh(); }, POLL_MS);
  }

  /* Visible tabs share one stream: the one that holds the lock has it, and passes its signals on. */
  const tabs = window.BroadcastChannel && navigator.locks ? new BroadcastChannel("ttsq-console") : null;
  let waiting = null, release = null;

  function pass(message) { if (tabs) tabs.postMessage(message); }

  if (tabs) tabs.addEventListener("message", (event) => {
    const { id, what } = event.data;
    if (id) lastEvent = id;
    if (document.hidden || stream) return;
    if (what === "ended") { close(); location.reload(); return; }
    clearInterval(poll);
    poll = null;
    label("Live");
    refresh();
  });

  function open() {
    if (!byId("live") || stream || waiting || document.hidden) return;
    if (!window.EventSource) { startPolling(); return; }
    if (!tabs) { connect(); return; }
    waiting = new AbortController();
    label("Live");
    navigator.locks.request("ttsq-console-stream", { signal: waiting.signal }, () => {
      waiting = null;
      if (document.hidden) return undefined;
      connect();
      return new Promise((resolve) => { release = resolve; });
    }).catch(() => { /* this tab was hidden before its turn came */ });
  }

  function connect() {
    stream = new EventSource("/console/stream" + (lastEvent ? "?last=" + encodeURIComponent(lastEvent) : ""));
    stream.addEventListener("open", () => { clearInterval(poll); poll = null; label("Live"); pass({}); refresh(); /* what happened since the page was made */ });
    stream.addEventListener("changed", (event) => { if (event.lastEventId) lastEvent = event.lastEventId; pass({ id: lastEvent }); refresh(); });
    stream.addEventListener("ended", () => { pass({ what: "ended" }); close(); location.reload(); });
    stream.addEventListener("error", startPolling);
  }

  function close() {
    if (stream) stream.close();
    stream = null;
    if (waiting) waiting.abort();
    if (release) release();
    waiting = release = null;
    clearInterval(poll);
    poll = null;
    label("Paused while hidden");
  }

  document.addEventListener("visibilitychange", () => { if (document.hidden) close(); else { open(); refresh(); } });

  document.addEventListener("htmx:after:swap", () => {
    const live = byId("live");
    if (live && live.dataset.status === "succeeded" && !byId("wave")) { location.reload(); return; }
    if (Date.now() - announced < ANNOUNCE_MS) return;
    announced = Date.now();
    const verdict = byId("verdict");
    if (verdict && byId("announcer").textContent !== verdict.textContent) byId("announcer").textContent = verdict.textContent;
  });

  /* Charts */
  const resolved = (name) => {
    const probe = document.createElement("span");
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    const color = getComputedStyle(probe).color;
    probe.remove();
    return color;
  };

  async function charts() {
    const place = document.querySelector("[data-figures]");
    if (!place || !window.uPlot) return;
    const answer = await fetch(place.dataset.figures);
    if (!answer.ok) return;
    const figures = await answer.json();
    for (const strip of place.querySelectorAll("[data-strip]")) {
      const names = strip.dataset.strip.split(",");
      const colors = [resolved("--accent"), resolved("--wait")];
      const axis = { stroke: resolved("--soft"), grid: { stroke: resolved("--line"), width: 1 }, ticks: { show: false } };
      const options = {
        width: strip.clientWidth, height: 130, cursor: { show: false }, legend: { show: false },
        scales: { y: { range: (_, low, high) => [0, Math.max(high || 0, 0.001) * 1.1] } },
        axes: [{ ...axis, values: (_, ticks) => ticks.map((at) => new Date(at * 1000).toISOString().slice(11, 16)) }, { ...axis, size: 48 }],
        series: [{}, ...names.map((name, at) => ({ stroke: colors[at], width: 1.5, fill: at ? undefined : colors[at].replace("rgb(", "rgba(").replace(")", ", 0.12)"), points: { show: false } }))],
      };
      strip.replaceChildren();
      new uPlot(options, [figures.time, ...names.map((name) => figures[name])], strip);
    }
  }

  /* The waveform */
  async function wave() {
    const place = byId("wave"), audio = byId("audio");
    if (!place || !audio || !window.WaveSurfer) return;
    const answer = await fetch(place.dataset.peaks);
    if (!answer.ok) return;
    const { peaks, duration } = await answer.json();
    WaveSurfer.create({
      container: place, media: audio, peaks: [peaks], duration, height: 72, barWidth: 2, barGap: 1, barRadius: 2, normalize: true,
      waveColor: resolved("--soft"), progressColor: resolved("--accent"), cursorColor: resolved("--ink"), cspNonce: place.dataset.nonce,
    });
  }

  /* A sentence that is clicked is heard */
  function hear(event) {
    const place = event.target.closest("[data-at]"), audio = byId("audio");
    if (!place || !audio) return;
    event.preventDefault();
    audio.currentTime = Number(place.dataset.at);
    audio.play();
  }

  /* Shortcuts */
  const PLACES = { n: "/console", j: "/console/jobs", b: "/console/batches", d: "/console/documents", m: "/console/money", t: "/console/try" };
  let went = 0;

  function shortcut(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, select, textarea, dialog[open]")) return;
    const audio = byId("audio");
    if (event.key === "?") byId("shortcuts").showModal();
    else if (event.key === "/" && byId("filter")) byId("filter").focus();
    else if (event.key === "/") location.assign("/console/jobs");
    else if (event.key === "p" && audio) { if (audio.paused) audio.play(); else audio.pause(); }
    else if (event.key === "g") { went = Date.now(); return; }
    else if (PLACES[event.key] && Date.now() - went < 1500) location.assign(PLACES[event.key]);
    else return;
    event.preventDefault();
  }

  document.addEventListener("keydown", shortcut);
  document.addEventListener("click", hear);
  document.addEventListener("DOMContentLoaded", () => {
    const button = byId("shortcuts-button");
    button.hidden = false;
    button.addEventListener("click", () => byId("shortcuts").showModal());
    const current = document.querySelector(".top [aria-current]");
    if (current) current.scrollIntoView({ block: "nearest", inline: "center" });
    open();
    charts();
    wave();
    let width = innerWidth;
    addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; charts(); } });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", charts);
  });
})();
