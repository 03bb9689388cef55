// Package cluster runs our pipelines on a real Apache Kafka and pulls the plugs
// of workers and brokers.
package cluster
