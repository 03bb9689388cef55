// Package kafka is the fleet's way through the pipeline: the input kafka_stateful
// and the output kafka_blocks, which share the transaction of a resource
// kafka_transaction.
//
// A component has its registration in input_, output_ or resource_…, its fields
// in spec_…; fields.go are those of all. Cycles, ranges and group membership are
// package kafkalog, what a topics file says is package topics, and package
// outputs compares what two versions have said. The commands `topics create` and `state handover` are
// create_topics*.go and hand_over.go. The simulation of all of it in virtual
// time is simulation_*_test.go.
package kafka
