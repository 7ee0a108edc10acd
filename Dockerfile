# One image for the workers, Beat, Flower, MLflow, the migration, the sandbox and the command line;
# docker-compose.yml says which of them a container is.
FROM python:3.12-slim-bookworm

# Celery looks its user up; by number, so that an orchestrator can tell it is not root.
RUN groupadd --gid 10001 openbell \
    && useradd --uid 10001 --gid 10001 --no-log-init --no-create-home \
        --home-dir /var/lib/openbell --shell /usr/sbin/nologin openbell \
    && install -d -o 10001 -g 10001 /var/lib/openbell /sandbox

WORKDIR /app

# The lock alone first: this layer is made anew only when a dependency changes.
COPY requirements.lock ./
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --disable-pip-version-check --no-input --require-hashes -r requirements.lock

COPY pyproject.toml README.md LICENSE celeryconfig.py ./
COPY config ./config
COPY worker ./worker
COPY tasks ./tasks
COPY scripts ./scripts
RUN pip install --disable-pip-version-check --no-input --no-build-isolation --no-deps -e .

ENV PYTHONUNBUFFERED=1 \
    OPENBELL_HOME=/var/lib/openbell \
    MPLCONFIGDIR=/tmp/matplotlib \
    GIT_PYTHON_REFRESH=quiet

USER 10001:10001
CMD ["openbell", "--help"]
