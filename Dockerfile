# One image for every role and command: `texthub` on slim Debian, as a user without rights.
# Dependencies are built in a layer of their own, which stands until Cargo.toml or Cargo.lock changes.
FROM node:22-bookworm-slim AS pages
WORKDIR /pages
COPY web/package.json web/package-lock.json web/.npmrc web/
COPY widget/package.json widget/package-lock.json widget/
RUN npm ci --prefix web --ignore-scripts --no-audit --no-fund && npm ci --prefix widget --ignore-scripts --no-audit --no-fund
COPY web web
COPY widget widget
RUN npm run --prefix web build && npm run --prefix widget build

FROM rust:1-bookworm AS build
WORKDIR /texthub
COPY Cargo.toml Cargo.lock ./
RUN mkdir -p src workers tests/journeys \
    && touch src/lib.rs tests/journeys/main.rs \
    && echo 'fn main() {}' >workers/main.rs \
    && cargo build --release --locked --bin texthub
COPY migrations migrations
COPY examples examples
COPY build.rs build.rs
COPY web/placeholder.html web/placeholder.html
COPY src src
COPY workers workers
COPY --from=pages /pages/web/dist web/dist
COPY --from=pages /pages/widget/dist widget/dist
# a checkout may be older than the layer above, and cargo goes by times
RUN touch src/lib.rs workers/main.rs \
    && cargo build --release --locked --bin texthub \
    && strip --strip-debug target/release/texthub

FROM debian:bookworm-slim
RUN groupadd --gid 10001 texthub \
    && useradd --uid 10001 --gid texthub --no-log-init --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin texthub \
    && install -d -o texthub -g texthub /var/lib/texthub/simulator
# TLS to Postgres, RabbitMQ and carriers is checked against these
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /texthub/target/release/texthub /usr/local/bin/texthub
ENV TEXTHUB_HTTP_LISTEN=0.0.0.0:8080 \
    TEXTHUB_SIMULATOR_LISTEN=0.0.0.0:8081 \
    TEXTHUB_SIMULATOR_RECORD=/var/lib/texthub/simulator
USER texthub
ENTRYPOINT ["texthub"]
CMD ["run", "all"]
