package detect

// Trace is for debugging.
var Trace func(at int64, test uint64, args ...any)
