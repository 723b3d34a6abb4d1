# Builds orc in Swift's own image and copies it into a small Debian image.
FROM swift:6.3-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends libmosquitto-dev libpcre2-dev libsqlite3-dev libssl-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Package.swift ./
COPY Sources Sources
# The manifest names the test targets, so their folders must exist.
COPY Tests Tests
RUN swift build -c release --product orc --static-swift-stdlib -Xswiftc -Osize \
        -Xlinker -s -Xlinker --no-export-dynamic \
    && cp "$(swift build -c release --show-bin-path)/orc" /orc

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates git libmosquitto1 libpcre2-8-0 libsqlite3-0 libssl3 mosquitto tini tzdata \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --create-home --home-dir /home/peon peon \
    && printf 'if [ -t 1 ]; then orc --version | sed "s/^/Orc /"; orc servers; fi\n' > /etc/profile.d/orc.sh
COPY --from=build /orc /usr/local/bin/orc
# PEON's path; mount a folder of the host here. Set ORC_HOST too: a container's host name changes with each new container.
ENV ORC_ROOT=/home/peon SWIFT_BACKTRACE=enable=no
# Runs as root, so that games, which have uid 1000, cannot write the agent's files; compose.yaml drops the rights it does
# not need.
WORKDIR /home/peon
VOLUME /home/peon
# The REST bridge, on the port that PEON's clients use; publish it on the host only: -p 127.0.0.1:5000:5000.
ENV ORC_HTTP_LISTEN=0.0.0.0:5000
EXPOSE 5000
HEALTHCHECK --interval=60s --timeout=10s --start-period=20s CMD ["orc", "send", "--wait", "5", "ping"]
ENTRYPOINT ["/usr/bin/tini", "-s", "--", "orc"]
CMD ["run"]
