# syntax=docker/dockerfile:1
# The image of Gatefold. deploy/build.sh builds everything; the tests run it without a container engine.
# The tag names a minor version of Python and a release of Debian, so that a rebuild with --pull gets security fixes.
# For the same bytes each time, add the digest: --build-arg BASE=python:3.11-slim-bookworm@sha256:...
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
WORKDIR /src
COPY . .
RUN sh deploy/build.sh /opt/gatefold

FROM ${BASE}
# A number, so that an orchestrator sees that it is not root. Volumes get the owner of these folders.
RUN install -d -m 0700 -o 10001 -g 10001 /var/lib/gatefold /var/backups/gatefold
COPY --from=build /opt/gatefold /opt/gatefold
ENV PATH=/opt/gatefold/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DATABASE_PATH=/var/lib/gatefold/gatefold.db \
    WEB_HOST=0.0.0.0
USER 10001:10001
WORKDIR /var/lib/gatefold
VOLUME /var/lib/gatefold
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["python", "-m", "bot.admin.health"]
ENTRYPOINT ["gatefold"]
CMD ["run"]
