// Package simulate stands in for a CI: the input ci_simulator invents traffic
// whose truth is known, the input upload_history plays recorded uploads back
// in their own time, and the output ndjson_file keeps what came of it.
package simulate
