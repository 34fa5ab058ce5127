# nightlatch in a container: one process to start, one folder to keep (/data). See examples/compose and
# docs/how-to/office-gateway.md for how to run it; it needs the gateway's own network, not a container's.
#
#   docker build -t nightlatch .                     the image
#   docker build --target test -t nightlatch-test .  only runs the unit tests
FROM debian:trixie-slim AS tools
WORKDIR /src
COPY tools/install-deps tools/
RUN tools/install-deps build && rm -rf /var/lib/apt/lists/*

FROM tools AS build
COPY . .
RUN cmake --preset release && cmake --build --preset release \
 && cmake --install build/release --prefix /usr --strip
# The run-time libraries are whatever the linker really took, by their packages' names.
RUN ldd /usr/sbin/nightlatch | sed -n 's/.*=> \(\/[^ ]*\) .*/\1/p' | xargs -n 1 readlink -f | xargs -n 1 basename \
  | xargs -I '{}' dpkg -S '*/{}' | cut -d: -f1 | sort -u >/runtime-packages && cat /runtime-packages

FROM tools AS test
RUN tools/install-deps unit && rm -rf /var/lib/apt/lists/*
COPY . .
# cli.serve makes a network namespace, which a build step may not.
RUN cmake --preset dev && cmake --build --preset dev \
 && ctest --test-dir build/dev -j "$(nproc)" -E '^cli\.serve$' --output-on-failure

FROM debian:trixie-slim
COPY --from=build /runtime-packages /tmp/
RUN apt-get update -qq \
 && xargs -a /tmp/runtime-packages apt-get install -y -qq --no-install-recommends iptables ipset iproute2 \
 && rm -rf /var/lib/apt/lists/* /tmp/runtime-packages \
 && useradd --system --no-create-home --home-dir /data --shell /usr/sbin/nologin nightlatch \
 && install -d -o nightlatch -g nightlatch -m 750 /data
COPY --from=build /usr/sbin/nightlatch /usr/sbin/
ENV NIGHTLATCH_STORE=/data/office.db
VOLUME /data
# `serve` starts as root to install rules and bind ports, and becomes the user nightlatch before the first connection.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["nightlatch", "status"]
ENTRYPOINT ["nightlatch"]
CMD ["serve"]
