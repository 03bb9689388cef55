package kafka

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/message/fields"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
)

const (
	kfSeedBrokers = "seed_brokers"
	kfTLS         = "tls"
	kfSASL        = "sasl"
	kfMechanism   = "mechanism"
	kfUsername    = "username"
	kfPassword    = "password"
	kfClientID    = "client_id"
	kfGroup       = "group"
	kfPath        = "path"
	kfInstanceID  = "instance_id"
	kfCompression = "compression"
	kfMaxMessage  = "max_message_bytes"
	kfLinger      = "linger"

	kfTransaction = "transaction"
	kfState       = "state"
	kfFormat      = "format"
	kfSchemas     = "schemas"
	kfDeadLetters = "dead_letters"

	formatRaw  = "raw"
	formatAvro = "avro"
)

const clientName = "connect-testengine"

// kafkaClientFields say how brokers are reached. need is false where a
// kafka_transaction may say it instead.
func kafkaClientFields(need bool) []*service.ConfigField {
	brokers := service.NewStringListField(kfSeedBrokers).
		Description("Addresses of brokers, host:port. One that answers is enough to find the others.").
		Example([]string{"127.0.0.1:9092"})
	if !need {
		brokers = brokers.Default([]any{}).
			Description("Addresses of brokers, host:port. Not used with `transaction`, whose brokers count.")
	}
	return []*service.ConfigField{
		brokers,
		service.NewTLSToggledField(kfTLS),
		service.NewObjectField(kfSASL,
			service.NewStringEnumField(kfMechanism, "none", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512").
				Description("How to prove who we are.").Default("none"),
			service.NewStringField(kfUsername).Description("The user's name.").Default(""),
			service.NewStringField(kfPassword).Description("The user's password.").Default("").Secret(),
		).Description("Authentication at the brokers.").Advanced(),
		service.NewStringField(kfClientID).
			Description("The name that the brokers' logs and quotas know this client by.").Default(clientName).Advanced(),
	}
}

// kafkaProducerFields say how records are written.
func kafkaProducerFields() []*service.ConfigField {
	return []*service.ConfigField{
		service.NewStringEnumField(kfCompression, "none", "lz4", "snappy", "zstd", "gzip").
			Description("How batches of records are compressed. `snappy` makes uploads as small as `lz4` does, in two thirds of the CPU, and unpacks them in half of it; `zstd` makes them almost half as large for several times the CPU; `none` costs no CPU here.").Default("snappy"),
		service.NewStringField(kfMaxMessage).
			Description("The greatest batch of records before compression, and with it the greatest record. It must not be above `max.message.bytes` of the topics. A record above it goes to the dead letters.").
			Default("1MiB"),
		fields.NewDuration(kfLinger).
			Description("How long a record may wait for others to share its batch.").Default("5ms").Advanced(),
	}
}

func kafkaClientOptions(conf *service.ParsedConfig) ([]kgo.Opt, error) {
	brokers, err := conf.FieldStringList(kfSeedBrokers)
	if err != nil {
		return nil, err
	}
	var given []string
	for _, broker := range brokers {
		for one := range strings.SplitSeq(broker, ",") {
			if one = strings.TrimSpace(one); one != "" {
				given = append(given, one)
			}
		}
	}
	id, err := conf.FieldString(kfClientID)
	if err != nil {
		return nil, err
	}
	options := []kgo.Opt{kgo.ClientID(id), kgo.DisableClientMetrics()}
	if len(given) > 0 {
		options = append(options, kgo.SeedBrokers(given...))
	}
	config, enabled, err := conf.FieldTLSToggled(kfTLS)
	if err != nil {
		return nil, err
	}
	if enabled {
		options = append(options, kgo.DialTLSConfig(config))
	}
	return kafkaSASL(conf.Namespace(kfSASL), options)
}

func kafkaSASL(conf *service.ParsedConfig, options []kgo.Opt) ([]kgo.Opt, error) {
	var err error
	p := fields.Into(&err, conf)
	mechanism, user, password := p.Text(kfMechanism), p.Text(kfUsername), p.Text(kfPassword)
	switch mechanism {
	case "PLAIN":
		options = append(options, kgo.SASL(plain.Auth{User: user, Pass: password}.AsMechanism()))
	case "SCRAM-SHA-256":
		options = append(options, kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha256Mechanism()))
	case "SCRAM-SHA-512":
		options = append(options, kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha512Mechanism()))
	}
	return options, err
}

// kafkaProducer is how records are written.
type kafkaProducer struct {
	options     []kgo.Opt
	recordBytes int
}

// bufferedBytes bounds what waits at a producer.
const bufferedBytes = 256 << 20

func kafkaProducerOptions(conf *service.ParsedConfig) (k kafkaProducer, err error) {
	p := fields.Into(&err, conf)
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "lz4": kgo.Lz4Compression(), "snappy": kgo.SnappyCompression(),
		"zstd": kgo.ZstdCompression(), "gzip": kgo.GzipCompression(),
	}
	k.recordBytes = int(p.Bytes(kfMaxMessage))
	codec, linger := codecs[p.Text(kfCompression)], p.Duration(kfLinger)
	if err == nil && (k.recordBytes < 32<<10 || k.recordBytes > 1<<30) {
		err = fmt.Errorf("%s must be between 32KiB and 1GiB", kfMaxMessage)
	}
	k.options = []kgo.Opt{
		kgo.ProducerBatchCompression(codec), kgo.ProducerBatchMaxBytes(int32(k.recordBytes)), kgo.ProducerLinger(linger),
		kgo.MaxBufferedBytes(max(bufferedBytes, 2*k.recordBytes)), kgo.MaxBufferedRecords(1 << 20),
	}
	return k, err
}

const (
	instanceName  = "instance"
	instanceBytes = 8
)

// instance is a name that survives restarts: it is kept in a folder that this
// process holds until the closer is closed.
func instance(d disk.Disk, dir string) (name string, lock io.Closer, err error) {
	if err := d.MkdirAll(dir); err != nil {
		return "", nil, fmt.Errorf("making the folder of the instance: %w", err)
	}
	if lock, err = d.Lock(dir); err != nil {
		return "", nil, fmt.Errorf("taking the folder of the instance: %w", err)
	}
	if name, err = readOrMakeInstance(d, dir); err != nil {
		return "", nil, errors.Join(fmt.Errorf("finding the instance's name: %w", err), lock.Close())
	}
	return name, lock, nil
}

func readOrMakeInstance(d disk.Disk, dir string) (string, error) {
	file := path.Join(dir, instanceName)
	content, err := disk.Read(d, file)
	switch name := strings.TrimSpace(string(content)); {
	case errors.Is(err, fs.ErrNotExist):
		return makeInstance(d, file)
	case err == nil && name == "":
		return "", fmt.Errorf("the file %s is empty", file)
	default:
		return name, err
	}
}

func makeInstance(d disk.Disk, file string) (string, error) {
	random := make([]byte, instanceBytes)
	_, _ = rand.Read(random) // It never fails.
	name := hex.EncodeToString(random)
	return name, disk.Replace(d, file, []byte(name+"\n"))
}

// rounded is a duration in whole milliseconds, the brokers' unit.
func rounded(d time.Duration) time.Duration { return max(d.Round(time.Millisecond), time.Millisecond) }
