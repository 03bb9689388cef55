package collector

import (
	"crypto/tls"
	"fmt"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/connect-testengine/connect-testengine/plugins/statestore/disk"
)

// certificateLook is how often the certificate's files are looked at.
const certificateLook = 10 * time.Second

// certificate follows its files, so that renewing it needs no restart. While they
// cannot be read, the one before is served.
type certificate struct {
	certFile, keyFile string
	now               func() time.Time
	log               *service.Logger

	mu      sync.Mutex
	looked  time.Time
	stamp   [2]disk.Stamp // of what is served
	broken  [2]disk.Stamp // of what could not be read, as the log says
	current *tls.Certificate
}

// loadCertificate reads a certificate; without a file there is none.
func loadCertificate(certFile, keyFile string, now func() time.Time, log *service.Logger) (*certificate, error) {
	if certFile == "" {
		return nil, nil //nolint:nilnil // without TLS there is none
	}
	c := &certificate{certFile: certFile, keyFile: keyFile, now: now, log: log}
	_, err := c.get(nil)
	return c, err
}

// get is the certificate for a handshake.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if c.current != nil && now.Sub(c.looked) < certificateLook {
		return c.current, nil
	}
	c.looked = now
	stamp := [2]disk.Stamp{disk.StampOf(c.certFile), disk.StampOf(c.keyFile)}
	if c.current != nil && (stamp == c.stamp || stamp == c.broken) {
		return c.current, nil
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	switch {
	case err == nil:
		if c.current != nil && c.log != nil {
			c.log.Infof("The certificate %s has changed: it is good until %s", c.certFile, pair.Leaf.NotAfter.Format(time.DateOnly))
		}
		c.current, c.stamp = &pair, stamp
	case c.current == nil:
		return nil, fmt.Errorf("reading tls.cert_file and tls.key_file: %w", err)
	default:
		c.broken = stamp
		if c.log != nil {
			c.log.Errorf("The certificate %s cannot be read, the one before is served, until %s: %v",
				c.certFile, c.current.Leaf.NotAfter.Format(time.DateOnly), err)
		}
	}
	return c.current, nil
}
