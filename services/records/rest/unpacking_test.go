package rest

import (
	"bytes"
	"compress/gzip"
	"io"
	"testing"

	"github.com/yba-health/yba/pkg/fault"
)

// What is whole is unpacked, and nothing else is taken for a whole body.
func FuzzUnpacking(f *testing.F) {
	var packed bytes.Buffer
	gz := gzip.NewWriter(&packed)
	_, _ = gz.Write([]byte(`{"resourceType":"Patient"}`))
	_ = gz.Close()
	whole := packed.Bytes()
	f.Add(whole)
	f.Add(whole[:len(whole)-3])
	f.Add(append(bytes.Clone(whole), whole...))
	f.Add(append(bytes.Clone(whole), "more"...))
	f.Add(append(bytes.Clone(whole), "\x1f\x8b\x08\x380000000"...))
	f.Add([]byte{})
	const most = 1 << 20
	f.Fuzz(func(t *testing.T, b []byte) {
		var want []byte
		gz, wrong := gzip.NewReader(bytes.NewReader(b))
		if wrong == nil {
			want, wrong = io.ReadAll(io.LimitReader(gz, most))
		}
		got, err := io.ReadAll(io.LimitReader(&unpacking{packed: io.NopCloser(bytes.NewReader(b))}, most))
		if (err == nil) != (wrong == nil) || err == nil && !bytes.Equal(got, want) || err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("%x became %q, %v; want %q, %v", b, got, err, want, wrong)
		}
	})
}
