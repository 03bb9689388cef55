package page

import (
	"os"
	"testing"
	"time"
)

// TestDevelop serves the page over the demo store while one works on it:
//
//	TESTENGINE_PAGE=127.0.0.1:8421 go test ./tests/page -run TestDevelop -timeout 0
//
// Without the variable it only starts and stops the server.
func TestDevelop(t *testing.T) {
	address := os.Getenv("TESTENGINE_PAGE")
	if address == "" {
		serve(t, "127.0.0.1:0", demo(t), "")
		return
	}
	l := serve(t, address, demo(t), "")
	t.Log(l.BaseURL())
	time.Sleep(24 * time.Hour)
}
