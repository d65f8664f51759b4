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
#       --read-only --cap-drop ALL --security-opt no-new-privileges streamgate
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
#
# Two nodes, their store, a proxy and monitoring: deploy/container/. A release names the base images by
# digest, and keeps the symbols and a bill of materials beside the image: deploy/release/.
ARG BUILD_IMAGE=rust:1.95-slim-bookworm
ARG BASE_IMAGE=gcr.io/distroless/cc-debian12:nonroot

FROM ${BUILD_IMAGE} AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY measure measure
COPY crates crates
# The registry and the compiled dependencies are kept between builds of the same machine; nothing of
# them is in a layer, so the binary is copied out in the same step. The symbols go to a file of their
# own, which the binary names by a checksum (.gnu_debuglink): a debugger and perf load it. The cache is
# locked, because builds for two architectures at the same time would take each other's binary.
RUN --mount=type=cache,id=streamgate-registry,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,id=streamgate-target,target=/src/target,sharing=locked \
    cargo build --release --locked --package streamgate --features full \
    && install -d /image/data /image/usr/local/bin /symbols \
    && objcopy --only-keep-debug target/release/streamgate /symbols/streamgate.debug \
    && objcopy --strip-all --add-gnu-debuglink=/symbols/streamgate.debug \
        target/release/streamgate /image/usr/local/bin/streamgate

# The symbols alone: docker build --target symbols --output symbols .
FROM scratch AS symbols
COPY --from=build /symbols/streamgate.debug /

# Distroless has glibc, libgcc and certificates, and nothing else: no shell, no package manager,
# nothing to patch beside what the binary uses. Debian 12 is what the binary was built on.
FROM ${BASE_IMAGE} AS image
# Who built what from where. A release passes all three; the rest is the same for every build.
ARG VERSION=unreleased
ARG REVISION=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="Streamgate" \
    org.opencontainers.image.description="Limits the concurrent streams of a user: may this user start another one?" \
    org.opencontainers.image.licenses="MIT OR Apache-2.0" \
    org.opencontainers.image.source="${SOURCE}" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"
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
