# syntax=docker/dockerfile:1

# The image of Streamgate.
#
#   docker build -t streamgate .
#
# A container listens on all of its addresses, so it asks for API keys. Without any it exits with 2
# and says what to do: an image that stood open to a network by default would be an accident.
#
#   docker run --rm streamgate key new --scope admin --name ops >> streamgate.toml
#   docker run -p 8080:8080 -v streamgate-data:/data \
#       -v "$PWD/streamgate.toml:/etc/streamgate.toml:ro" -e STREAMGATE_CONFIG=/etc/streamgate.toml \
#       streamgate
#
# To try it on your own machine only:
#
#   docker run --rm -p 127.0.0.1:8080:8080 -e STREAMGATE_ALLOW_ANONYMOUS=true streamgate
#
# Every setting is a variable (docs/configuration.md). Change the port by STREAMGATE_LISTEN, not by a
# flag or the file: the variable that is set below goes before the file, and the health check reads
# it. Containers often get few open files; --ulimit nofile=200000 lets in more connections.
# `docker stop` waits 10 s, and so does Streamgate for requests under way: give it `-t 20`. What was
# acknowledged is on disk even if it is killed.

# What a build takes from elsewhere: crates, which Cargo.lock names with their checksums, and two base
# images, whose tags move: a build has the fixes of its day. A release names them by digest, as its registry
# tells it on that day, and keeps the digests and a list of what is inside with the image:
#
#   docker buildx imagetools inspect rust:1.95-slim-bookworm --format '{{json .Manifest.Digest}}'
#   docker buildx imagetools inspect gcr.io/distroless/cc-debian12:nonroot --format '{{json .Manifest.Digest}}'
#   docker buildx build --sbom=true --provenance=mode=max \
#       --build-arg BUILD_IMAGE=rust:1.95-slim-bookworm@sha256:... \
#       --build-arg BASE_IMAGE=gcr.io/distroless/cc-debian12:nonroot@sha256:... -t streamgate .
ARG BUILD_IMAGE=rust:1.95-slim-bookworm
ARG BASE_IMAGE=gcr.io/distroless/cc-debian12:nonroot

FROM ${BUILD_IMAGE} AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY measure measure
COPY crates crates
# The registry and the compiled dependencies are kept between builds of the same machine; nothing of
# them is in a layer, so the binary is copied out in the same step.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --package streamgate \
    && install -D target/release/streamgate /image/usr/local/bin/streamgate \
    && install -d /image/data

# Distroless has glibc, libgcc and certificates, and nothing else: no shell, no package manager,
# nothing to patch beside what the binary uses. Debian 12 is what the binary was built on.
FROM ${BASE_IMAGE}
COPY --from=build /image/usr/local/bin/streamgate /usr/local/bin/streamgate
# Owned by the user of the image, so that a new volume is, too.
COPY --from=build --chown=65532:65532 /image/data /data
ENV STREAMGATE_LISTEN=0.0.0.0:8080 \
    STREAMGATE_DATA_DIR=/data
VOLUME /data
EXPOSE 8080
USER 65532:65532
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["/usr/local/bin/streamgate", "health"]
ENTRYPOINT ["/usr/local/bin/streamgate"]
CMD ["serve"]
