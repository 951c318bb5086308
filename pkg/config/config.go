// Package config reads the configuration: defaults, then a YAML file, then
// YBA_* environment variables, then flags. Unknown keys are errors.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"gopkg.in/yaml.v3"
)

// Config is the whole configuration. A key's name in the file is the yaml
// tag; in the environment YBA_ and the name in capitals with "_" for "-"; as a
// flag --name. Secrets are given by file or environment only.
type Config struct {
	Data        string            `yaml:"data" help:"folder of everything that must survive"`
	Listen      string            `yaml:"listen" help:"address of the public face"`
	PublicURL   string            `yaml:"public-url" help:"how browsers reach it; empty: http://localhost and the port"`
	TLSCert     string            `yaml:"tls-cert" help:"certificate file; with tls-key the public face speaks HTTPS"`
	TLSKey      string            `yaml:"tls-key" help:"private key file"`
	DatabaseURL string            `yaml:"database-url" secret:"yes" help:"PostgreSQL 15 or newer; empty: a private server in the data folder"`
	Conns       int               `yaml:"conns" help:"database connections for each service"`
	GRPCListen  string            `yaml:"grpc-listen" help:"address for calls between processes; empty in one process"`
	Peers       map[string]string `yaml:"peers" help:"where other services are: records=host:9101,access=host:9102 (gRPC)"`
	Edges       map[string]string `yaml:"edges" help:"where the gateway finds other services' HTTP: records=http://host:8101"`
	InternalKey string            `yaml:"internal-key" secret:"yes" help:"key for calls between processes, 64 hexadecimal digits"`
	LogLevel    string            `yaml:"log-level" help:"debug, info, warn or error"`
	LogFormat   string            `yaml:"log-format" help:"json or text"`
	MediaPort   int               `yaml:"media-port" help:"UDP and TCP port of audio and video"`
	MediaIPs    []string          `yaml:"media-ips" help:"addresses that browsers reach the media port at; empty: those of this machine"`
	TURNPort    int               `yaml:"turn-port" help:"UDP and TCP port of STUN and TURN; 0 turns it off"`
	TURNURLs    []string          `yaml:"turn-urls" help:"other TURN servers instead of the embedded one"`
	TURNSecret  string            `yaml:"turn-secret" secret:"yes" help:"shared secret of those"`
	RateLimit   int               `yaml:"rate-limit" help:"requests a second for one address, bursts of ten times that; 0: no limit"`
	Proxies     []string          `yaml:"trusted-proxies" help:"networks of proxies before it, such as 10.0.0.0/8, whose X-Forwarded-For is believed"`
	CORSOrigins []string          `yaml:"cors-origins" help:"origins of other people's apps that may call the FHIR face from a browser, such as https://app.example; * for all; empty: none"`
	HookNets    []string          `yaml:"hook-networks" help:"private networks that notifications of Subscriptions may be sent to, such as 10.2.0.0/16; with a loopback network also by http"`
	Spool       string            `yaml:"spool" help:"folder where SMS and e-mail are written; empty: spool in the data folder"`
	Province    string            `yaml:"province" help:"code of the province this installation serves"`

	RecordsValidate         bool     `yaml:"records-validate" help:"what is written is checked against the definitions of FHIR R4"`
	RecordsUpdateCreate     bool     `yaml:"records-update-create" help:"a PUT may create a resource under the client's id"`
	RecordsRandomIDs        bool     `yaml:"records-random-ids" help:"who does not reach every record gives new resources no other ids than UUIDs of version 4 or 7, which nobody guesses"`
	RecordsDeleteMany       int      `yaml:"records-delete-many" help:"how many resources one conditional delete may delete, at most 1000; with 1 several matches are refused"`
	RecordsBinaryMB         int      `yaml:"records-binary-mb" help:"how large the content of a Binary may be that is sent as it is, in megabytes"`
	RecordsReferencesWrite  []string `yaml:"records-references-write" help:"types whose references must lead to something when they are written: all, none or a list"`
	RecordsReferencesDelete []string `yaml:"records-references-delete" help:"types that cannot be deleted while others refer to them: all, none or a list"`

	DrainWait time.Duration `yaml:"drain-wait" help:"how long calls may go on after a stop was asked"`
}

// Default returns the configuration of a small machine.
func Default() Config {
	return Config{
		Data: "data", Listen: "localhost:8080", Conns: 16, LogLevel: "info", LogFormat: "text",
		MediaPort: 7882, TURNPort: 3478, RateLimit: 200, DrainWait: 5 * time.Second,
		RecordsValidate: true, RecordsUpdateCreate: true, RecordsRandomIDs: true, RecordsDeleteMany: 1, RecordsBinaryMB: 100, RecordsReferencesWrite: []string{"all"}, RecordsReferencesDelete: []string{"all"},
		Peers: map[string]string{}, Edges: map[string]string{},
	}
}

// Flags adds one flag for each key that is not a secret to fs, writing into c.
func (c *Config) Flags(fs *pflag.FlagSet) {
	each(c, func(name, help string, secret bool, v reflect.Value) {
		if secret {
			return
		}
		fs.Var(&value{v}, name, help)
	})
}

// Load fills c from the file (when path is not empty) and the environment.
// Flags parsed after it win.
func (c *Config) Load(path string, environ []string) error {
	if path != "" {
		b, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("configuration file: %w", err)
		}
		d := yaml.NewDecoder(bytes.NewReader(b))
		d.KnownFields(true)
		if err := d.Decode(c); err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("configuration file %s: %w", path, err)
		}
	}
	known := map[string]reflect.Value{}
	each(c, func(name, _ string, _ bool, v reflect.Value) {
		known["YBA_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_"))] = v
	})
	for _, kv := range environ {
		k, s, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(k, "YBA_") || strings.HasPrefix(k, "YBA_TEST_") {
			continue
		}
		file := strings.TrimSuffix(k, "_FILE")
		if v, ok := known[file]; ok && file != k {
			b, err := os.ReadFile(s)
			if err != nil {
				return fmt.Errorf("%s: %w", k, err)
			}
			if err := (&value{v}).Set(strings.TrimSpace(string(b))); err != nil {
				return fmt.Errorf("%s: %w", k, err)
			}
			continue
		}
		v, ok := known[k]
		if !ok {
			return fmt.Errorf("unknown environment variable %s: `yba serve --help` lists the keys", k)
		}
		if err := (&value{v}).Set(s); err != nil {
			return fmt.Errorf("%s: %w", k, err)
		}
	}
	return nil
}

// Override sets the keys whose flags were given.
func (c *Config) Override(fs *pflag.FlagSet) error {
	var failed error
	each(c, func(name, _ string, _ bool, v reflect.Value) {
		if f := fs.Lookup(name); f != nil && f.Changed && failed == nil {
			if err := (&value{v}).Set(f.Value.String()); err != nil {
				failed = fmt.Errorf("--%s: %w", name, err)
			}
		}
	})
	return failed
}

// BaseURL is how browsers reach the suite, without a slash at the end.
func (c *Config) BaseURL() string {
	if c.PublicURL != "" {
		return strings.TrimRight(c.PublicURL, "/")
	}
	scheme := "http"
	if c.TLSCert != "" {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return scheme + "://localhost"
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && (ip.IsUnspecified() || ip.IsLoopback()) {
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// Folder returns the path of a folder in the data folder, making it private
// to this account.
func (c *Config) Folder(name string) (string, error) {
	p := filepath.Join(c.Data, name)
	if err := os.MkdirAll(p, 0o700); err != nil {
		return "", fmt.Errorf("the data folder cannot be written: %w; choose another with YBA_DATA", err)
	}
	return p, nil
}

func each(c *Config, f func(name, help string, secret bool, v reflect.Value)) {
	v := reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag
		f(tag.Get("yaml"), tag.Get("help"), tag.Get("secret") != "", v.Field(i))
	}
}

// value sets a field from text and is a pflag.Value.
type value struct{ v reflect.Value }

func (x *value) String() string {
	if !x.v.IsValid() { // pflag asks the zero value, too
		return ""
	}
	switch t := x.v.Interface().(type) {
	case []string:
		return strings.Join(t, ",")
	case map[string]string:
		var kv []string
		for k, v := range t {
			kv = append(kv, k+"="+v)
		}
		return strings.Join(kv, ",")
	default:
		return fmt.Sprint(t)
	}
}

func (x *value) Type() string { return x.v.Kind().String() }

func (x *value) Set(s string) error {
	switch x.v.Interface().(type) {
	case string:
		x.v.SetString(s)
	case bool:
		b, err := strconv.ParseBool(s)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", s)
		}
		x.v.SetBool(b)
	case int:
		n, err := strconv.Atoi(s)
		if err != nil {
			return fmt.Errorf("%q is no whole number", s)
		}
		x.v.SetInt(int64(n))
	case time.Duration:
		d, err := time.ParseDuration(s)
		if err != nil {
			return fmt.Errorf("%q is no duration such as 5s", s)
		}
		x.v.SetInt(int64(d))
	case []string:
		x.v.Set(reflect.ValueOf(split(s)))
	case map[string]string:
		m := map[string]string{}
		for _, kv := range split(s) {
			k, v, ok := strings.Cut(kv, "=")
			if !ok {
				return fmt.Errorf("%q is not name=address", kv)
			}
			m[k] = v
		}
		x.v.Set(reflect.ValueOf(m))
	}
	return nil
}

func split(s string) []string {
	var out []string
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}
