# One image for worker, gateway, migrate and every command: slim, without build tools, not run as root.
FROM python:3.12-slim AS build
RUN pip install --no-cache-dir --root-user-action=ignore uv
WORKDIR /src
COPY requirements.txt requirements-runtime.txt pyproject.toml hatch_build.py README.md LICENSE ./
COPY api_models api_models
COPY worker worker
COPY migrations migrations
# The same pinned versions as in development; the constraint leaves out what only development needs.
RUN sed -E 's/ *\\$//; /^ *--hash/d' requirements.txt > constraints.txt \
 && uv venv /venv \
 && uv pip install --python /venv/bin/python --compile-bytecode --constraint constraints.txt ".[otel]"

FROM python:3.12-slim
RUN useradd --system --create-home --uid 10001 ttsq && mkdir /spool && chown ttsq /spool
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TTSQ_LOG_FORMAT=json \
    TTSQ_SPOOL_DIR=/spool \
    TTSQ_ALIVE_FILE=/tmp/ttsq-alive
# What is paid for and not yet stored: keep it on a volume that outlives the container.
VOLUME /spool
USER ttsq
WORKDIR /home/ttsq
STOPSIGNAL SIGTERM
# A worker touches the file with every heartbeat, also while the database is unreachable: a restart would cut off calls
# that are being paid for. The age counts in both directions, because clocks are set back. Services that are no worker
# have their own check in docker-compose.yml; run other commands with --no-healthcheck.
HEALTHCHECK --interval=20s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-I", "-c", "import os, sys, time; sys.exit(abs(time.time() - os.stat(os.environ['TTSQ_ALIVE_FILE']).st_mtime) > 60)"]
CMD ["celery", "-A", "worker.app", "worker"]
