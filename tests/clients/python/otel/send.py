"""Sends a passed and a failed execution through the real SDK and exporter."""
import os

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Status, StatusCode

exporter = OTLPSpanExporter(
    endpoint=os.environ["TRACES"],
    compression=Compression.Gzip,
    headers={
        "authorization": "Bearer " + os.environ["BUILDKITE_ANALYTICS_TOKEN"],
        "buildkite-tests-run-key": os.environ["BUILDKITE_BUILD_ID"],
    },
)
provider = TracerProvider(resource=Resource({"vcs.ref.head.name": "main", "vcs.ref.head.revision": "5e1f0c"}))
provider.add_span_processor(BatchSpanProcessor(exporter))
tracer = provider.get_tracer("te")
for name, status in (("adds VAT once", "pass"), ("rounds to even", "fail")):
    with tracer.start_as_current_span("test.execution") as span:
        span.set_attribute("test.suite.name", "Invoice totals")
        span.set_attribute("test.case.name", name)
        span.set_attribute("test.case.result.status", status)
        if status == "fail":
            span.set_status(Status(StatusCode.ERROR, "expected 2, got 3"))
provider.shutdown()
