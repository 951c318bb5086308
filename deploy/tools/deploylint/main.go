// Command deploylint checks Dockerfiles and compose files without a Docker
// daemon and without a network: Dockerfiles by BuildKit's own rules, compose
// files by the schema and the interpolation of the Compose specification.
//
//	go tool deploylint ../Dockerfile ../compose.yaml
//
// It prints one line for each finding and ends with 1 when there is any.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

func main() {
	found, err := run(context.Background(), os.Args[1:], os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if found > 0 {
		os.Exit(1)
	}
}

// run checks the files, prints findings to w and returns their number.
func run(ctx context.Context, files []string, w io.Writer) (found int, err error) {
	if len(files) == 0 {
		return 0, errors.New("usage: deploylint FILE…, each a Dockerfile or a compose file")
	}
	for _, f := range files {
		check := dockerfile
		if ext := filepath.Ext(f); ext == ".yaml" || ext == ".yml" {
			check = compose
		}
		lines, err := check(ctx, f)
		if err != nil {
			return found, err
		}
		for _, l := range lines {
			fmt.Fprintln(w, l)
		}
		found += len(lines)
	}
	return found, nil
}

func dockerfile(ctx context.Context, path string) ([]string, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	source := llb.NewSourceMap(nil, path, "Dockerfile", src)
	source.Definition = &llb.Definition{} // the linter reads it without asking whether there is one
	results, err := dockerfile2llb.DockerfileLint(ctx, src, dockerfile2llb.ConvertOpt{
		SourceMap:    source,
		MetaResolver: offline{},
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var out []string
	for _, warning := range results.Warnings {
		line := int32(0)
		if warning.Location != nil && len(warning.Location.Ranges) > 0 {
			line = warning.Location.Ranges[0].Start.Line
		}
		out = append(out, fmt.Sprintf("%s:%d: %s: %s", path, line, warning.RuleName, warning.Detail))
	}
	if results.Error != nil {
		out = append(out, fmt.Sprintf("%s: %s", path, results.Error.Message))
	}
	return out, nil
}

// offline answers for every base image that it is an empty Linux image, so
// that no registry is asked.
type offline struct{}

func (offline) ResolveImageConfig(_ context.Context, ref string, opt sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	img := ocispecs.Image{Platform: ocispecs.Platform{OS: "linux", Architecture: "amd64"}}
	if o := opt.ImageOpt; o != nil && o.Platform != nil {
		img.Platform = *o.Platform
	}
	b, err := json.Marshal(img)
	return ref, digest.FromBytes(b), b, err
}

func compose(ctx context.Context, path string) ([]string, error) {
	options, err := cli.NewProjectOptions([]string{path}, cli.WithOsEnv, cli.WithResolvedPaths(true), cli.WithDiscardEnvFile)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	project, err := options.LoadProject(ctx)
	if err != nil {
		return []string{fmt.Sprintf("%s: %s", path, strings.ReplaceAll(err.Error(), "\n", "; "))}, nil
	}
	var out []string
	for _, name := range project.ServiceNames() {
		s := project.Services[name]
		say := func(format string, a ...any) {
			out = append(out, fmt.Sprintf("%s: service %s: %s", path, name, fmt.Sprintf(format, a...)))
		}
		if s.Image == "" {
			say("it has no image")
		} else if s.Build == nil && (!strings.Contains(s.Image, ":") || strings.HasSuffix(s.Image, ":latest")) {
			say("the image %s has no version", s.Image)
		}
		if s.Restart == "" {
			say("restart is not set, so it stays down after a reboot")
		}
		if s.Privileged || s.NetworkMode == "host" {
			say("it runs privileged or in the machine's network")
		}
		for key, value := range s.Environment {
			if value != nil && secretName(key) {
				say("%s is a secret in the environment: give it as a file", key)
			}
		}
	}
	return out, nil
}

func secretName(key string) bool {
	for _, word := range []string{"PASSWORD", "SECRET", "_KEY", "DATABASE_URL"} {
		if strings.Contains(key, word) && !strings.HasSuffix(key, "_FILE") && key != "YBA_TLS_KEY" {
			return true
		}
	}
	return false
}
