// Package stream gives a pipeline order and memory: the logs that it reads, the
// state behind its stateful processors, and the topics that it writes.
//
// On one machine: the buffer upload_log, a durable log in front of the pipeline or
// a spool in front of Kafka, and the input upload_log, which replays one. Their
// files end in _upload_log.go. The log itself is package uploadlog; when a spool
// answers is decided by package spool.
//
// In a fleet: the input kafka_stateful and the output kafka_blocks, which share the
// transaction of a resource kafka_transaction. Their files have kafka in their
// names. Cycles, ranges and group membership are package kafkalog. The commands
// `topics create` and `state handover` are create_topics*.go and hand_over.go.
//
// Under both: the resource testengine_state (resource_state*.go) over package
// state, which holds all recovery code. Its snapshots go to a depot or a bucket;
// disk is the only door to files.
package stream
