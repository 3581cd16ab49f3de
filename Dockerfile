# `dev` holds the tools that docker-compose.yml runs the service with; the source is mounted. `stream` is the container of
# streams as it is deployed, and what is built when no target is named.

FROM rust:1.95-bookworm AS rust
WORKDIR /workspace

FROM rust AS dev
RUN apt-get update \
    && apt-get install --yes --no-install-recommends cmake curl nasm python3-venv \
    && rm -rf /var/lib/apt/lists/*
COPY local/private/requirements.txt /tmp/requirements.txt
# `--no-deps` leaves out zig, a compiler for other processors that only `cargo lambda build` needs.
RUN python3 -m venv /opt/tools \
    && grep '^cargo-lambda==' /tmp/requirements.txt >/tmp/cargo-lambda.txt \
    && /opt/tools/bin/pip install --no-cache-dir --no-deps --requirement /tmp/cargo-lambda.txt
ENV PATH=$PATH:/opt/tools/bin CARGO_TARGET_DIR=/target

FROM rust AS build
COPY . .
RUN cargo build --locked --release --package stream --bin stream

FROM debian:bookworm-slim AS stream
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --no-create-home stream
# Whom to believe that it is RDS (`sslrootcert` in DATABASE_URL).
COPY infra/rds-ca.pem /etc/ssl/rds-ca.pem
COPY --from=build /workspace/target/release/stream /usr/local/bin/stream
USER stream
ENV HOST=0.0.0.0 PORT=8000
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
    CMD curl --fail --silent --output /dev/null "http://localhost:$PORT/health/live"
CMD ["stream"]
