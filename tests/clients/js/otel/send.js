// Sends a passed and a failed execution, and a span of somebody else's, through
// the real SDK and exporter: send.js proto|json.
const { BasicTracerProvider, BatchSpanProcessor } = require('@opentelemetry/sdk-trace-base');
const { resourceFromAttributes } = require('@opentelemetry/resources');
const { context, trace, SpanStatusCode, ROOT_CONTEXT } = require('@opentelemetry/api');
const { OTLPTraceExporter } = require(process.argv[2] === 'proto'
  ? '@opentelemetry/exporter-trace-otlp-proto' : '@opentelemetry/exporter-trace-otlp-http');

const exporter = new OTLPTraceExporter({
  url: process.env.TRACES, compression: 'gzip',
  headers: { Authorization: `Token token="${process.env.BUILDKITE_ANALYTICS_TOKEN}"`, 'Buildkite-Tests-Run-Key': process.env.BUILDKITE_BUILD_ID },
});
const provider = new BasicTracerProvider({
  resource: resourceFromAttributes({ 'vcs.ref.head.name': 'main', 'vcs.ref.head.revision': '5e1f0c', 'vcs.ref.type': 'branch' }),
  spanProcessors: [new BatchSpanProcessor(exporter)],
});
const tracer = provider.getTracer('te');
for (const [name, status] of [['adds VAT once', 'pass'], ['rounds to even', 'fail']]) {
  const span = tracer.startSpan('test.execution', { attributes: {
    'buildkite.execution.via': 'otlp', 'buildkite.test.scope': 'Invoice totals', 'buildkite.test.name': name, 'test.case.result.status': status,
  } }, ROOT_CONTEXT);
  tracer.startSpan('SELECT', { attributes: { 'db.query.text': 'SELECT 1' } }, trace.setSpan(ROOT_CONTEXT, span)).end();
  if (status === 'fail') {
    span.recordException(new Error('expected 2, got 3'));
    span.setStatus({ code: SpanStatusCode.ERROR, message: 'expected 2, got 3' });
  }
  span.end();
}
tracer.startSpan('GET /', {}, ROOT_CONTEXT).end();
provider.shutdown();
