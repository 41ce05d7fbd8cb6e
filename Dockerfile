FROM python:3.11-slim AS build
WORKDIR /src
COPY . .
RUN pip install --no-cache-dir build && python -m build --wheel --outdir /dist . \
    && cp config/constraints.txt /dist/

FROM python:3.11-slim
# The data folder is made here, as its owner's: a volume takes both along, and would belong to root otherwise.
RUN useradd --system --create-home --home-dir /var/lib/lti-tool --shell /usr/sbin/nologin lti-tool \
    && install -d -o lti-tool -m 0700 /var/lib/lti-tool/data
COPY --from=build /dist /dist
RUN pip install --no-cache-dir -c /dist/constraints.txt /dist/*.whl && rm -r /dist
USER lti-tool
WORKDIR /var/lib/lti-tool
ENV LTI_TOOL_DATA_DIR=/var/lib/lti-tool/data
VOLUME /var/lib/lti-tool/data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["lti-tool", "serve", "--host", "0.0.0.0", "--port", "8000"]
