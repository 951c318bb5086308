// Package web carries the browser apps: patient, station, clinic and
// department. Their source is in ui/; `make web` builds it into dist/.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var files embed.FS

// Dist is the built apps: <app>/index.html and hashed files under assets/.
// Without a build it holds placeholder.html only.
var Dist = dist()

func dist() fs.FS {
	sub, err := fs.Sub(files, "dist")
	if err != nil {
		// fs.Sub fails only for a malformed path, and "dist" is none.
		return files
	}
	return sub
}
