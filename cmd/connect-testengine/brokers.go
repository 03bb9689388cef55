package main

import (
	"crypto/tls"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
	ucli "github.com/urfave/cli/v2"
)

// kafkaFlags say how the brokers are reached.
func kafkaFlags() []ucli.Flag {
	return []ucli.Flag{
		&ucli.StringFlag{
			Name: "brokers", Value: "127.0.0.1:9092", EnvVars: []string{"TESTENGINE_BROKERS"},
			Usage: "Seed brokers, host:port, with commas between.",
		},
		&ucli.BoolFlag{Name: "tls", Usage: "Speak TLS with the brokers, certificates checked against the system's roots."},
		&ucli.StringFlag{
			Name: "sasl", EnvVars: []string{"TESTENGINE_SASL_MECHANISM"},
			Usage: "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; empty is none.",
		},
		&ucli.StringFlag{Name: "sasl-user", EnvVars: []string{"TESTENGINE_SASL_USER"}, Usage: "The user of --sasl."},
		&ucli.StringFlag{
			Name: "sasl-password", EnvVars: []string{"TESTENGINE_SASL_PASSWORD"},
			Usage: "The password of --sasl; better in the environment than on a command line.",
		},
	}
}

// kafkaClient makes the client that kafkaFlags describe.
func kafkaClient(c *ucli.Context) (*kgo.Client, error) {
	options := []kgo.Opt{kgo.SeedBrokers(strings.Split(c.String("brokers"), ",")...), kgo.ClientID("connect-testengine")}
	if c.Bool("tls") {
		options = append(options, kgo.DialTLSConfig(&tls.Config{MinVersion: tls.VersionTLS12}))
	}
	mechanism, err := saslMechanism(c.String("sasl"), c.String("sasl-user"), c.String("sasl-password"))
	if err != nil {
		return nil, err
	}
	if mechanism != nil {
		options = append(options, kgo.SASL(mechanism))
	}
	return kgo.NewClient(options...)
}

func saslMechanism(name, user, password string) (sasl.Mechanism, error) {
	switch strings.ToUpper(name) {
	case "":
		return nil, nil
	case "PLAIN":
		return plain.Auth{User: user, Pass: password}.AsMechanism(), nil
	case "SCRAM-SHA-256":
		return scram.Auth{User: user, Pass: password}.AsSha256Mechanism(), nil
	case "SCRAM-SHA-512":
		return scram.Auth{User: user, Pass: password}.AsSha512Mechanism(), nil
	}
	return nil, fmt.Errorf("--sasl %q is not PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", name)
}
