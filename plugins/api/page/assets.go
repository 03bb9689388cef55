package page

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
)

//go:embed assets
var assetFiles embed.FS

// Asset is one file as it is served.
type Asset struct {
	Content     []byte
	Gzip        []byte
	ContentType string
	// ETag is quoted, as it stands in the header.
	ETag string
}

// Assets are the files beside the pages, by their name without folder.
type Assets struct {
	byName map[string]Asset
}

var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
	".svg": "image/svg+xml", ".md": "text/plain; charset=utf-8",
}

func loadAssets() (*Assets, error) {
	a := &Assets{byName: map[string]Asset{}}
	err := fs.WalkDir(assetFiles, "assets", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := assetFiles.ReadFile(name)
		if err != nil {
			return err
		}
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		_, _ = w.Write(content) // a buffer takes everything
		if err := w.Close(); err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		a.byName[path.Base(name)] = Asset{
			Content: content, Gzip: packed.Bytes(), ContentType: contentTypes[path.Ext(name)],
			ETag: `"` + hex.EncodeToString(sum[:8]) + `"`,
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the page's files: %w", err)
	}
	return a, nil
}

// Get returns a file.
func (a *Assets) Get(name string) (Asset, bool) {
	asset, ok := a.byName[name]
	return asset, ok
}

// URL is where a file is served; it changes with the content, so that browsers
// may keep the answer for ever.
func (a *Assets) URL(name string) (string, error) {
	asset, ok := a.byName[name]
	if !ok {
		return "", fmt.Errorf("there is no file %s", name)
	}
	return "/assets/" + name + "?v=" + asset.ETag[1:len(asset.ETag)-1], nil
}
