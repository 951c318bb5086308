package gateway

import (
	"bytes"
	"compress/gzip"
	"embed"
	"html/template"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/yba-health/yba/pkg/kit"
)

// Apps are the browser apps, each under its own path.
var Apps = []string{"patient", "station", "clinic", "department"}

//go:embed start.html start.css
var startFiles embed.FS

var startPage = template.Must(template.ParseFS(startFiles, "start.html"))

// apps serves the built apps from memory, compressed once. A path below an
// app that is no file is a page of the app and gets its index.html.
func apps(web fs.FS) http.Handler {
	files := load(web)
	css, _ := startFiles.ReadFile("start.css")
	files["start.css"] = newFile("start.css", css)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
		if f, ok := files[name]; ok {
			f.serve(w, r, name)
			return
		}
		app, _, deeper := strings.Cut(name, "/")
		switch {
		case name == "":
			start(w, r)
		case !slices.Contains(Apps, app) || path.Ext(name) != "":
			http.NotFound(w, r)
		case !deeper && !strings.HasSuffix(r.URL.Path, "/"):
			http.Redirect(w, r, "/"+app+"/", http.StatusMovedPermanently) //nolint:gosec // app is one of Apps
		default:
			index, ok := files[app+"/index.html"]
			if !ok {
				http.Error(w, "The browser apps are not built: run `make web`.", http.StatusNotFound)
				return
			}
			index.serve(w, r, app+"/index.html")
		}
	})
}

// start is the page at "/" that leads to the four apps.
func start(w http.ResponseWriter, r *http.Request) {
	var b bytes.Buffer
	english := strings.HasPrefix(r.Header.Get("Accept-Language"), "en")
	if err := startPage.Execute(&b, map[string]bool{"English": english}); err != nil {
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("Vary", "Accept-Language")
	_, _ = w.Write(b.Bytes())
}

type file struct {
	plain, gzipped []byte
	kind           string
}

func newFile(name string, content []byte) *file {
	f := &file{plain: content, kind: mime.TypeByExtension(path.Ext(name))}
	if path.Ext(name) == ".webmanifest" {
		f.kind = "application/manifest+json"
	}
	if f.kind == "" {
		f.kind = "application/octet-stream"
	}
	if strings.HasPrefix(f.kind, "text/") || strings.Contains(f.kind, "json") || strings.Contains(f.kind, "javascript") || strings.Contains(f.kind, "svg") {
		var b bytes.Buffer
		z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
		_, _ = z.Write(content)
		_ = z.Close()
		if b.Len() < len(content) {
			f.gzipped = b.Bytes()
		}
	}
	return f
}

// load reads the built apps. Files that cannot be read are left out: the
// placeholder page then says what to do.
func load(web fs.FS) map[string]*file {
	files := map[string]*file{}
	_ = fs.WalkDir(web, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(web, p)
		if err != nil {
			return err
		}
		files[p] = newFile(p, content)
		return nil
	})
	return files
}

func (f *file) serve(w http.ResponseWriter, r *http.Request, name string) {
	h := w.Header()
	h.Set("Content-Type", f.kind)
	// Names under assets/ carry a hash of their content.
	if strings.Contains("/"+name, "/assets/") {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		h.Set("Cache-Control", "no-cache")
	}
	body := f.plain
	if f.gzipped != nil {
		h.Set("Vary", "Accept-Encoding")
		if kit.AcceptsGzip(r) {
			h.Set("Content-Encoding", "gzip")
			body = f.gzipped
		}
	}
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(body))
}
