// Package uploadlog is the way through the pipeline on one machine: the buffer
// upload_log, a durable log in front of the pipeline or a spool in front of Kafka,
// and the input upload_log (input.go), which replays one.
//
// The buffer begins in buffer.go. Uploads come in and lanes are handed out in
// deliver.go; pipeline.go lets several batches of a lane overlap, spool.go answers
// before Kafka has, house.go ticks, measures and trims. The log itself is package
// disklog; when a spool answers is decided by package spool.
package uploadlog
