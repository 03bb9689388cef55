package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"log"
	"strings"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/connect-testengine/connect-testengine/plugins/upload/bodies"
)

// sample is a body, and how it is sent. At key stand 16 bytes that are written
// anew for each request, which makes each another upload.
type sample struct {
	path, contentType string
	body              []byte
	key               int
	executions        int
}

// place is what stands where the number of a request is written.
const place = "0123456789abcdef"

// spans is how many spans a request of OTLP has: as many as the exporter of Python sends.
const spans = 512

func sampleOf(kind string) sample {
	s := sample{path: "/v1/uploads", contentType: "application/json"}
	switch kind {
	case "junit":
		s.contentType = "multipart/form-data; boundary=load"
		s.body, s.executions = junit(5000), 5000
	case "otlp":
		s.path, s.contentType, s.body, s.executions = "/v1/traces", "application/x-protobuf", otlp(), spans
	case "otlp-json":
		s.path, s.body, s.executions = "/v1/traces", otlpJSON(), spans
	default:
		s.body, s.executions = bodies.Generate(1, bodies.Kind(kind)), bodies.Kind(kind).Executions()
		s.key = bytes.Index(s.body, []byte(`"key":"`)) + len(`"key":"`)
		return s
	}
	if s.key = bytes.Index(s.body, []byte(place)); s.key < 0 {
		log.Fatal("the body has no place for its number")
	}
	return s
}

// junit is a form with a file as surefire writes it, 1.1 MB for 5,000 tests; every
// fiftieth failed and has a trace.
func junit(tests int) []byte {
	var b bytes.Buffer
	for name, value := range map[string]string{"format": "junit", "run_env[CI]": "generic", "run_env[key]": place, "run_env[branch]": "main"} {
		fmt.Fprintf(&b, "--load\r\nContent-Disposition: form-data; name=%q\r\n\r\n%s\r\n", name, value)
	}
	b.WriteString("--load\r\nContent-Disposition: form-data; name=\"data\"; filename=\"TEST.xml\"\r\nContent-Type: application/xml\r\n\r\n")
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n<testsuites>\n")
	for i := range tests {
		if i%40 == 0 {
			if i > 0 {
				b.WriteString("  </testsuite>\n")
			}
			fmt.Fprintf(&b, "  <testsuite name=\"com.acme.billing.Invoice%dTest\" tests=\"40\" failures=\"1\" time=\"4.182\" timestamp=\"2026-11-24T10:00:00\">\n", i/40)
		}
		fmt.Fprintf(&b, "    <testcase classname=\"com.acme.billing.Invoice%dTest\" name=\"rejects the account when the user is no member (case %d)\" time=\"%.3f\" file=\"src/test/java/com/acme/billing/Invoice%dTest.java\"",
			i/40, i, 0.001*float64(1+i%97), i/40)
		if i%50 != 0 {
			b.WriteString("/>\n")
			continue
		}
		b.WriteString(">\n      <failure message=\"expected: &lt;200&gt; but was: &lt;403&gt;\" type=\"org.opentest4j.AssertionFailedError\"><![CDATA[")
		b.WriteString(strings.Repeat("at com.acme.billing.InvoiceTest.rejects(InvoiceTest.java:42)\n", 12))
		b.WriteString("]]></failure>\n    </testcase>\n")
	}
	b.WriteString("  </testsuite>\n</testsuites>\n\r\n--load--\r\n")
	return b.Bytes()
}

// attributes are those of a test's span, a text each; the line is a number.
func attributes(i int) []string {
	status := "pass"
	if i%50 == 0 {
		status = "fail"
	}
	return []string{
		"buildkite.execution.via", "otlp", "buildkite.run_key", "b-91", "test.case.result.status", status,
		"buildkite.test.scope", fmt.Sprintf("Billing::Invoice%dController #create", i/40),
		"buildkite.test.name", fmt.Sprintf("rejects the account when the user is no member (case %d)", i),
		"code.file.path", fmt.Sprintf("spec/controllers/billing/invoice_%d_controller_spec.rb", i/40),
		"buildkite.tag.team", "payments",
	}
}

// process are the attributes of the resource; the place for the number is among them.
var process = []string{
	"service.name", "api", "service.namespace", "acme", "cicd.worker.id", "agent-7", "telemetry.sdk.language", "ruby",
	"vcs.ref.head.name", "main", "vcs.ref.head.revision", "5e1f0c9ab2d3476f8a90b1c2d3e4f50617283940", "service.instance.id", place,
}

// began is when the first span began, in unix nanoseconds; each takes 50 ms.
const began = 1_795_327_681_000_000_000

func ids(i int) (traceID, spanID []byte) {
	return fmt.Appendf(nil, "trace-%010d", i), fmt.Appendf(nil, "sp%06d", i)
}

func otlp() []byte {
	pairs := func(texts []string) (all []*common.KeyValue) {
		for i := 0; i < len(texts); i += 2 {
			all = append(all, &common.KeyValue{Key: texts[i], Value: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: texts[i+1]}}})
		}
		return all
	}
	scope := &trace.ScopeSpans{Scope: &common.InstrumentationScope{Name: "buildkite-test_collector", Version: "2.17.0"}}
	for i := range spans {
		traceID, spanID := ids(i)
		line := &common.KeyValue{Key: "code.line.number", Value: &common.AnyValue{Value: &common.AnyValue_IntValue{IntValue: int64(10 + i)}}}
		scope.Spans = append(scope.Spans, &trace.Span{
			TraceId: traceID, SpanId: spanID, Name: "test.execution", Kind: trace.Span_SPAN_KIND_INTERNAL,
			StartTimeUnixNano: began + uint64(i)*50_000_000, EndTimeUnixNano: began + uint64(i+1)*50_000_000,
			Attributes: append(pairs(attributes(i)), line), Status: &trace.Status{},
		})
	}
	raw, err := proto.Marshal(&trace.TracesData{ResourceSpans: []*trace.ResourceSpans{
		{Resource: &resource.Resource{Attributes: pairs(process)}, ScopeSpans: []*trace.ScopeSpans{scope}},
	}})
	if err != nil {
		log.Fatal(err)
	}
	return raw
}

func otlpJSON() []byte {
	pairs := func(texts []string) string {
		var all []string
		for i := 0; i < len(texts); i += 2 {
			all = append(all, fmt.Sprintf(`{"key":%q,"value":{"stringValue":%q}}`, texts[i], texts[i+1]))
		}
		return strings.Join(all, ",")
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"resourceSpans":[{"resource":{"attributes":[%s],"droppedAttributesCount":0},"scopeSpans":[{"scope":{"name":"buildkite-test_collector"},"spans":[`, pairs(process))
	for i := range spans {
		if i > 0 {
			b.WriteByte(',')
		}
		traceID, spanID := ids(i)
		fmt.Fprintf(&b, `{"traceId":%q,"spanId":%q,"name":"test.execution","kind":1,"startTimeUnixNano":"%d","endTimeUnixNano":"%d",`+
			`"attributes":[%s,{"key":"code.line.number","value":{"intValue":%d}}],"droppedAttributesCount":0,"status":{"code":0}}`,
			hex.EncodeToString(traceID), hex.EncodeToString(spanID), began+i*50_000_000, began+(i+1)*50_000_000, pairs(attributes(i)), 10+i)
	}
	b.WriteString("]}]}]}")
	return b.Bytes()
}
