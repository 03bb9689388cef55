package runners

var rspecTests = []fileTest{
	{
		name: "examples with their groups", format: rspec,
		body: `{"version":"3.13","messages":["Run options: include {:focus=>true}"],"examples":[
			{"id":"./spec/a_spec.rb[1:1]","description":"adds VAT once","full_description":"Invoice totals adds VAT once","status":"passed",
			 "file_path":"./spec/a_spec.rb","line_number":2,"run_time":0.5,"pending_message":null},
			{"description":"fails","full_description":"Invoice#total fails","status":"failed","file_path":"./spec/a_spec.rb","line_number":3,"run_time":1,
			 "exception":{"class":"E","message":"\nexpected: 2\n     got: 1\n","backtrace":["a.rb:1","b.rb:2"]}},
			{"description":"later","full_description":"Invoice totals nested later","status":"pending","file_path":"./spec/a_spec.rb","line_number":4,"run_time":0,"pending_message":"not yet"}],
			"summary":{"example_count":3}}`,
		env: []string{"location_prefix", "services/api", "collector", "bktec"},
		want: []string{
			"passed Invoice totals > adds VAT once 0.5s at services/api/spec/a_spec.rb:2",
			"failed Invoice#total > fails 1s at services/api/spec/a_spec.rb:3: expected: 2",
			"skipped Invoice totals nested > later 0s at services/api/spec/a_spec.rb:4: not yet",
		},
	},
	{
		name: "a file that does not load is no test", format: rspec,
		body: `{"messages":["\nAn error occurred while loading ./spec/broken_spec.rb.\nFailure/Error: requier 'x'\n\nNoMethodError: undefined"],
			"examples":[],"summary":{"errors_outside_of_examples_count":1}}`,
		want: []string{"failed  > spec/broken_spec.rb: Failure/Error: requier 'x' (suite error)"},
	},
	{name: "nothing was run", format: rspec, body: `{"examples":[]}`},
}

var jestTests = []fileTest{
	{
		name: "Jest's words, and a retry that only a count tells of", format: jest,
		body: `{"success":false,"testResults":[{"assertionResults":[
			{"ancestorTitles":["Invoice totals","rounding"],"duration":5,"failureMessages":["Error: \u001b[31mexpected\u001b[39m 2\n\nreceived 3\n    at Object.toBe (/ci/app/src/a.test.js:4:7)\n    at x"],"invocations":3,"location":{"column":5,"line":4},"retryReasons":[],"status":"failed","title":"half even"},
			{"ancestorTitles":[],"duration":null,"failureMessages":[],"invocations":1,"location":null,"status":"pending","title":"skipped"},
			{"ancestorTitles":[],"status":"todo","title":"todo"},{"ancestorTitles":[],"status":"disabled","title":"off"},
			{"ancestorTitles":[],"duration":1,"invocations":2,"retryReasons":[],"status":"passed","title":"retried"},
			{"ancestorTitles":[],"duration":1,"invocations":2,"retryReasons":["Error: first time\n    at y"],"status":"passed","title":"retried with a reason"}],
			"message":"m","name":"/ci/app/src/a.test.js","status":"failed"}]}`,
		env: []string{"cwd", "/ci/app", "location_prefix", "packages/money/", "collector", "bktec"},
		want: []string{
			"failed Invoice totals rounding > half even 0.005s at packages/money/src/a.test.js:4: Error: expected 2",
			"pending  > skipped at packages/money/src/a.test.js",
			"skipped  > todo at packages/money/src/a.test.js",
			"skipped  > off at packages/money/src/a.test.js",
			"passed  > retried 0.001s at packages/money/src/a.test.js: passed on invocation 2: the runner keeps no reason of the ones before",
			"passed  > retried with a reason 0.001s at packages/money/src/a.test.js: Error: first time",
		},
	},
	{
		name: "Vitest's retried test keeps the failure", format: jest,
		body: `{"testResults":[{"assertionResults":[{"ancestorTitles":["Invoice"],"status":"passed","title":"flaky","duration":2.5,"failureMessages":["AssertionError: expected 1 to be 2\n    at m.js:7:1"],"meta":{}},
			{"ancestorTitles":["Invoice"],"status":"skipped","title":"off","failureMessages":[],"meta":{}}],"status":"passed","message":"","name":"/ci/app/m.test.js"}]}`,
		env: []string{"cwd", "/ci/app"},
		want: []string{
			"passed Invoice > flaky 0.0025s at m.test.js: AssertionError: expected 1 to be 2",
			"skipped Invoice > off at m.test.js",
		},
	},
	{
		name: "a file that does not compile is no test", format: jest,
		body: `{"testResults":[{"assertionResults":[],"message":"  ● Test suite failed to run\n\n    SyntaxError: x","name":"/ci/app/b.test.js","status":"failed"},
			{"assertionResults":[],"message":"","name":"/ci/app/empty.test.js","status":"passed"}]}`,
		env:  []string{"cwd", "/ci/app"},
		want: []string{"failed  > b.test.js: SyntaxError: x (suite error)"},
	},
}

var playwrightTests = []fileTest{
	{
		name: "attempts are executions, and the scope is the collector's", format: pw,
		body: `{"config":{"rootDir":"/ci/app/tests"},"suites":[{"title":"m.spec.js","file":"m.spec.js","specs":[],"suites":[{"title":"Invoice","specs":[
			{"title":"flaky","ok":true,"tests":[{"annotations":[{"type":"@team","description":"billing"},{"type":"issue","description":"7"}],"expectedStatus":"passed","projectName":"chromium","status":"flaky","results":[
				{"status":"failed","duration":20,"errors":[{"message":"Error: \u001b[31mnope\u001b[39m\n    at m.spec.js:7:1","location":{"file":"x","line":7}}],"retry":0},
				{"status":"passed","duration":10,"errors":[],"retry":1}]}],"file":"m.spec.js","line":7,"column":3},
			{"title":"slow","tests":[{"expectedStatus":"passed","projectName":"","results":[{"status":"timedOut","duration":30000,"errors":[]}]}],"file":"m.spec.js","line":9,"column":3},
			{"title":"known bug","tests":[{"expectedStatus":"failed","projectName":"","results":[{"status":"failed","duration":1,"errors":[{"message":"x"}]}]}],"file":"m.spec.js","line":10,"column":3},
			{"title":"fixed bug","tests":[{"expectedStatus":"failed","projectName":"","results":[{"status":"passed","duration":1,"errors":[]}]}],"file":"m.spec.js","line":11,"column":3},
			{"title":"stopped","tests":[{"expectedStatus":"passed","projectName":"","results":[{"status":"interrupted","duration":1,"errors":[]}]}],"file":"m.spec.js","line":12,"column":3},
			{"title":"never begun","tests":[{"expectedStatus":"passed","projectName":"","results":[]}],"file":"m.spec.js","line":13,"column":3}]}]}],"errors":[]}`,
		env: []string{"cwd", "/ci/app"},
		want: []string{
			"failed  chromium m.spec.js Invoice flaky > flaky 0.02s at tests/m.spec.js:7:3: Error: nope #team=billing",
			"passed  chromium m.spec.js Invoice flaky > flaky 0.01s at tests/m.spec.js:7:3 #team=billing",
			"failed   m.spec.js Invoice slow > slow 30s at tests/m.spec.js:9:3: timedOut",
			"passed   m.spec.js Invoice known bug > known bug 0.001s at tests/m.spec.js:10:3",
			"failed   m.spec.js Invoice fixed bug > fixed bug 0.001s at tests/m.spec.js:11:3: it was expected to fail, and passed",
			"unknown   m.spec.js Invoice stopped > stopped 0.001s at tests/m.spec.js:12:3",
			"skipped   m.spec.js Invoice never begun > never begun at tests/m.spec.js:13:3",
		},
	},
	{
		name: "a file that does not load is no test", format: pw,
		body: `{"config":{"rootDir":"/ci/app"},"suites":[],"errors":[{"message":"SyntaxError: x","location":{"file":"/ci/app/b.spec.js","line":1}},{"message":"Error: no tests found"}]}`,
		env:  []string{"cwd", "/ci/app"},
		want: []string{
			"failed  > b.spec.js: SyntaxError: x (suite error)",
			"failed  > Error: no tests found: Error: no tests found (suite error)",
		},
	},
}

var cucumberTests = []fileTest{
	{
		name: "scenarios, backgrounds and the rows of an outline", format: cucumber,
		body: `[{"uri":"features/money.feature","id":"money","name":"Money","line":1,"elements":[
			{"type":"background","name":"","line":2,"steps":[{"keyword":"Given ","name":"a rate","result":{"status":"passed","duration":1000000000}}]},
			{"id":"money;adds","type":"scenario","name":"adds","line":5,"steps":[{"keyword":"Then ","name":"it adds","result":{"status":"passed","duration":500000000}}]},
			{"id":"money;rounds;;2","keyword":"Scenario Outline","type":"scenario","name":"rounds","line":12,"steps":[{"result":{"status":"passed","duration":0}}]},
			{"id":"money;rounds;;3","keyword":"Scenario Outline","type":"scenario","name":"rounds","line":13,"steps":[{"result":{"status":"failed","duration":0,"error_message":"expected 2\nfeatures/x.rb:3"}},{"result":{"status":"skipped"}}]},
			{"id":"money;rounds;;3","keyword":"Scenario Outline","type":"scenario","name":"rounds","line":13,"steps":[{"result":{"status":"passed","duration":0}}]},
			{"id":"money;loses","type":"scenario","name":"loses","line":20,"before":[{"result":{"status":"passed","duration":5}}],"steps":[{"keyword":"Given ","name":"nothing","result":{"status":"undefined"}}]}]}]`,
		want: []string{
			"passed Money > adds 1.5s at features/money.feature:5",
			"passed Money > rounds (example 1) 0s at features/money.feature:12",
			"failed Money > rounds (example 2) 0s at features/money.feature:13: expected 2",
			"passed Money > rounds (example 2) 0s at features/money.feature:13",
			"pending Money > loses 5e-09s at features/money.feature:20: undefined: Given nothing",
		},
	},
	{
		name: "a background that fails fails its scenario", format: cucumber,
		body: `[{"uri":"file:f.feature","name":"F","elements":[
			{"type":"background","steps":[{"result":{"status":"failed","error_message":"no database"}}]},
			{"type":"scenario","name":"a","line":5,"steps":[{"result":{"status":"skipped"}}]},
			{"type":"scenario","name":"a","line":9,"steps":[{"result":{"status":"PASSED"}}]}]}]`,
		want: []string{
			"failed F > a at f.feature:5: no database",
			"passed F > a (example 2) at f.feature:9",
		},
	},
	{name: "no features", format: cucumber, body: `[]`},
}

var gotestTests = []fileTest{
	{
		name: "each end of a test is an execution", format: gotest,
		body: `{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:4: expected 120, \"got\" 144\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"--- FAIL: TestA (0.00s)\n"}
{"Action":"fail","Package":"p","Test":"TestA","Elapsed":0.25}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestA","Elapsed":0}
{"Action":"run","Package":"p","Test":"TestB"}
{"Action":"run","Package":"p","Test":"TestB/sub"}
{"Action":"output","Package":"p","Test":"TestB/sub","Output":"    b_test.go:1: later\n"}
{"Action":"skip","Package":"p","Test":"TestB/sub","Elapsed":0}
{"Action":"pass","Package":"p","Test":"TestB","Elapsed":0}
{"Action":"fail","Package":"p","Elapsed":1}
`,
		want: []string{
			"failed p > TestA 0.25s: a_test.go:4: expected 120, \"got\" 144",
			"passed p > TestA 0s",
			"skipped p > TestB/sub 0s: b_test.go:1: later",
			"passed p > TestB 0s",
		},
	},
	{
		name: "packages that do not build, or stop outside their tests, are no tests", format: gotest,
		body: `{"ImportPath":"q [q.test]","Action":"build-output","Output":"# q\n"}
{"ImportPath":"q [q.test]","Action":"build-output","Output":"./q.go:3: undefined: x\n"}
{"ImportPath":"q [q.test]","Action":"build-fail"}
# q
{"Action":"output","Package":"q","Output":"FAIL\tq [build failed]\n"}
{"Action":"fail","Package":"q","Elapsed":0,"FailedBuild":"q [q.test]"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestA","Elapsed":0}
{"Action":"output","Package":"p","Output":"exit status 3\n"}
{"Action":"fail","Package":"p","Elapsed":0}
`,
		want: []string{
			"failed q > TestMain: ./q.go:3: undefined: x (suite error)",
			"passed p > TestA 0s",
			"failed p > TestMain: exit status 3 (suite error)",
		},
	},
	{
		name: "a test that never ended is unknown", format: gotest,
		body: `{"Action":"run","Package":"p","Test":"HangsForever"}
{"Action":"run","Package":"p","Test":"TestB"}
{"Action":"output","Package":"p","Test":"TestB","Output":"--- FAIL: TestB (0.00s)\n"}
{"Action":"fail","Package":"p","Test":"TestB","Elapsed":0}
{"Action":"fail","Package":"p","Elapsed":0}
`,
		want: []string{"failed p > TestB 0s", "unknown p > HangsForever"},
	},
	{name: "nothing", format: gotest, body: ""},
}
