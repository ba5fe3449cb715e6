# One image for the worker and for `ttsq migrate`: slim, without build tools, and not run as root.
FROM python:3.12-slim AS build
RUN pip install --no-cache-dir --root-user-action=ignore uv
WORKDIR /src
COPY requirements.txt pyproject.toml README.md LICENSE ./
COPY api_models api_models
COPY worker worker
COPY migrations migrations
# The same pinned versions as in development; the constraint leaves out what only development needs.
RUN sed -E 's/ *\\$//; /^ *--hash/d' requirements.txt > constraints.txt \
 && uv venv /venv && uv pip install --python /venv/bin/python --constraint constraints.txt .

FROM python:3.12-slim
RUN useradd --system --create-home --uid 10001 ttsq
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 TTSQ_LOG_FORMAT=json TTSQ_SPOOL_DIR=/spool
RUN mkdir /spool && chown ttsq /spool
VOLUME /spool
USER ttsq
WORKDIR /home/ttsq
STOPSIGNAL SIGTERM
CMD ["celery", "-A", "worker.app", "worker"]
