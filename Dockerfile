# GoodsGuard: the service, and the scripts that build its banks.
#
#   docker build -t goodsguard .                       the default index: torch with CUDA, several GB
#   docker build -t goodsguard --build-arg TORCH_INDEX_URL=URL .
#                                                      URL: PyTorch's index of CPU wheels, as its installation
#                                                      page names it: a far smaller image, without CUDA
#
#   docker run --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
#       -e GOODSGUARD_API_KEYS=NAME:SCOPE:sha256:HASH \
#       -p 127.0.0.1:8000:8000 -v "$PWD/models:/models:ro" -v "$PWD/data:/data:ro" -v reports:/reports \
#       -v records:/records goodsguard
#
# Without API keys the service answers its own machine only, and seen from inside a container that is
# the container: -p brings requests from elsewhere. Make a key (it prints what to put above), or set
# GOODSGUARD_ALLOW_ANONYMOUS=true to answer whoever reaches the port:
#
#   docker run --rm goodsguard goodsguard key --name till-1

# Any base with Python 3.11 as python3, its venv module and useradd will do.
ARG BASE_IMAGE=python:3.11-slim-bookworm

# The requirements alone, so that an edit of pyproject.toml's other tables leaves the large layer
# below in the cache: what is copied from a stage is cached by content.
FROM ${BASE_IMAGE} AS requirements
COPY pyproject.toml /
# With the driver of PostgreSQL, which is small: records may be kept there.
RUN python3 -c "import tomllib; p = tomllib.load(open('/pyproject.toml', 'rb'))['project']; print(*p['dependencies'], *p['optional-dependencies']['postgres'], sep='\n')" > /requirements.txt

# The package as pip installs it, made where there is a pip: the image below keeps none. What builds
# it is fetched once; after that a change of the code needs no network.
FROM ${BASE_IMAGE} AS package
ARG PIP_OPTIONS=
COPY constraints.txt /
RUN python3 -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --only-binary :all: -c /constraints.txt ${PIP_OPTIONS} hatchling
COPY pyproject.toml README.md LICENSE /source/
COPY app /source/app
# From the same place as the image's, since the command's first line names its Python.
RUN /opt/venv/bin/pip install --no-index --no-deps --no-build-isolation --no-compile --prefix /package /source

FROM ${BASE_IMAGE}

# Where torch and torchvision come from; empty: from where everything else does.
ARG TORCH_INDEX_URL=
# More options for pip, such as --index-url. They stay in the image's history: no passwords here.
ARG PIP_OPTIONS=

# A fixed number, high enough to be nobody on the host; volumes can be given to it.
RUN groupadd --gid 10001 goodsguard \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin goodsguard \
    && install -d -o 10001 -g 10001 /models /reports /data /weights \
    && install -d -o 10001 -g 10001 -m 700 /records

# One layer: a second one that touched these files would hold them again. Only wheels, so no compiler
# is needed, and pip goes once it has done its work. pip compiles what it installs: a read-only root
# cannot, and importing torch from source takes seconds at each start.
# torch's own dependencies come from the default index (--no-deps): PyTorch's holds old copies of them.
# 2.14.1+cpu satisfies a pin on 2.14.1, so one constraints file serves both kinds of wheel.
COPY constraints.txt /tmp/constraints.txt
COPY --from=requirements /requirements.txt /tmp/requirements.txt
RUN set -eu; \
    python3 -m venv /opt/venv; \
    install="/opt/venv/bin/pip install --no-cache-dir --only-binary :all: -c /tmp/constraints.txt ${PIP_OPTIONS}"; \
    if [ -n "${TORCH_INDEX_URL}" ]; then \
        $install --no-deps --index-url "${TORCH_INDEX_URL}" torch torchvision; \
    fi; \
    $install -r /tmp/requirements.txt; \
    /opt/venv/bin/pip check; \
    /opt/venv/bin/pip uninstall --yes --quiet pip; \
    rm /tmp/constraints.txt /tmp/requirements.txt

# HOME is the one writable folder there always is: torch, matplotlib and the CUDA driver keep caches
# below it. USER and LOGNAME stand in for the passwd entry when another --user is given.
# Nothing writes bytecode at run time, since the root is read-only.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/srv/goodsguard \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    USER=goodsguard \
    LOGNAME=goodsguard \
    MPLCONFIGDIR=/tmp/matplotlib \
    TORCH_HOME=/weights \
    HF_HOME=/weights \
    GOODSGUARD_MODELS_DIR=/models \
    GOODSGUARD_REPORTS_DIR=/reports \
    GOODSGUARD_RECORDS_DIR=/records \
    GOODSGUARD_DATA_DIR=/data \
    UVICORN_HOST=0.0.0.0 \
    UVICORN_PORT=8000

WORKDIR /srv/goodsguard
COPY LICENSE ./
COPY --from=package /package /opt/venv
COPY scripts scripts
# scripts/ run what lies beside them under the name `app`, here as in a checkout: the same files.
RUN ln -s "$(python -c 'import goodsguard; print(*goodsguard.__path__)')" app \
    && python -m compileall -q app scripts

LABEL org.opencontainers.image.title="GoodsGuard" \
      org.opencontainers.image.description="Spots damaged goods in photos" \
      org.opencontainers.image.licenses="MIT"

USER 10001:10001
# Banks, evaluation results, records (photos can show people), downloaded weights. /data (photos to build from and to evaluate on) is
# only ever read: mount it with :ro.
VOLUME ["/models", "/reports", "/records", "/weights"]
EXPOSE 8000

# Ready means that at least one category can be scored. http.client, not urllib.request: the latter
# would ask a proxy named in the environment for 127.0.0.1.
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s --retries=3 CMD ["python", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ['UVICORN_PORT']), timeout=4); c.request('GET', '/readyz'); sys.exit(c.getresponse().status != 200)"]

# Host and port come from UVICORN_HOST and UVICORN_PORT, which the health check reads too. One
# process: each would load the banks anew, and one already uses every core. 6 seconds for requests
# under way, after the 2 of GOODSGUARD_DRAIN_S, because `docker stop` kills after 10. Idle connections
# are kept for longer than proxies keep theirs, as `goodsguard serve` does.
CMD ["uvicorn", "--factory", "goodsguard.main:create_app", "--no-access-log", "--no-server-header", "--timeout-graceful-shutdown", "6", "--timeout-keep-alive", "75"]
