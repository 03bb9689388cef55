// Package bucket keeps files for all nodes in a bucket that speaks S3.
package bucket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/connect-testengine/connect-testengine/plugins/message/pause"
	"github.com/connect-testengine/connect-testengine/plugins/statestore/state"
)

// Config says where the bucket is. Without ID the usual chain of AWS finds
// credentials: environment, profile, role.
type Config struct {
	Bucket, Prefix   string
	Endpoint, Region string
	PathStyle        bool
	ID, Secret       string
}

// conflicts is how often a conditional write that met another one in flight is tried.
const (
	conflicts     = 5
	conflictPause = 100 * time.Millisecond
)

// Bucket is a state.Depot.
type Bucket struct {
	client *s3.Client
	name   string
	prefix string
}

var _ state.Depot = (*Bucket)(nil)

// New makes the client; it does not talk to the bucket yet.
func New(ctx context.Context, c Config) (*Bucket, error) {
	options := []func(*config.LoadOptions) error{}
	if c.Region != "" {
		options = append(options, config.WithRegion(c.Region))
	}
	if c.ID != "" {
		options = append(options, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(c.ID, c.Secret, "")))
	}
	loaded, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("reading the settings of bucket %s: %w", c.Bucket, err)
	}
	client := s3.NewFromConfig(loaded, func(o *s3.Options) {
		o.UsePathStyle = c.PathStyle
		if c.Endpoint != "" {
			o.BaseEndpoint = aws.String(c.Endpoint)
		}
	})
	prefix := strings.Trim(c.Prefix, "/")
	if prefix != "" {
		prefix += "/"
	}
	return &Bucket{client: client, name: c.Bucket, prefix: prefix}, nil
}

func (b *Bucket) key(name string) *string { return aws.String(b.prefix + name) }

// Put implements state.Depot. One request carries at most 5 GB.
func (b *Bucket) Put(ctx context.Context, name string, content io.ReaderAt, size int64) error {
	_, err := b.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &b.name, Key: b.key(name), Body: io.NewSectionReader(content, 0, size), ContentLength: &size,
	})
	if err != nil {
		return fmt.Errorf("storing %s in bucket %s: %w", name, b.name, err)
	}
	return nil
}

// PutNew implements state.Depot, by If-None-Match.
func (b *Bucket) PutNew(ctx context.Context, name string, content []byte) error {
	for try := 0; ; try++ {
		_, err := b.client.PutObject(ctx, &s3.PutObjectInput{
			Bucket: &b.name, Key: b.key(name), Body: bytes.NewReader(content), IfNoneMatch: aws.String("*"),
		})
		switch status(err) {
		case http.StatusPreconditionFailed:
			return fmt.Errorf("storing %s in bucket %s: %w", name, b.name, state.ErrTaken)
		case http.StatusConflict:
			if try < conflicts && pause.For(ctx, conflictPause) {
				continue
			}
		}
		if err != nil {
			return fmt.Errorf("storing %s in bucket %s: %w", name, b.name, err)
		}
		return nil
	}
}

// status is the HTTP status of an error, 0 when there is none.
func status(err error) int {
	if response, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		return response.HTTPStatusCode()
	}
	return 0
}

// Get implements state.Depot.
func (b *Bucket) Get(ctx context.Context, name string, to io.WriterAt) (int64, error) {
	got, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.name, Key: b.key(name)})
	if status(err) == http.StatusNotFound {
		return 0, fmt.Errorf("fetching %s from bucket %s: %w", name, b.name, fs.ErrNotExist)
	}
	if err != nil {
		return 0, fmt.Errorf("fetching %s from bucket %s: %w", name, b.name, err)
	}
	defer got.Body.Close() //nolint:errcheck // only read
	size, err := io.CopyBuffer(io.NewOffsetWriter(to, 0), got.Body, make([]byte, 1<<20))
	if err != nil {
		return size, fmt.Errorf("fetching %s from bucket %s: %w", name, b.name, err)
	}
	return size, nil
}

// List implements state.Depot.
func (b *Bucket) List(ctx context.Context, folder string) (names []string, err error) {
	prefix := *b.key(folder) + "/"
	pages := s3.NewListObjectsV2Paginator(b.client, &s3.ListObjectsV2Input{Bucket: &b.name, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("listing %s in bucket %s: %w", folder, b.name, err)
		}
		for _, object := range page.Contents {
			names = append(names, strings.TrimPrefix(aws.ToString(object.Key), prefix))
		}
	}
	slices.Sort(names)
	return names, nil
}

// Delete implements state.Depot.
func (b *Bucket) Delete(ctx context.Context, name string) error {
	if _, err := b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.name, Key: b.key(name)}); err != nil && status(err) != http.StatusNotFound {
		return fmt.Errorf("removing %s from bucket %s: %w", name, b.name, err)
	}
	return nil
}
