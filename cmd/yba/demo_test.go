package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yba-health/yba/pkg/config"
)

func TestResetRemovesTheDemoOnlyAndNotUnderARunningServer(t *testing.T) {
	var out bytes.Buffer
	cfg := &config.Config{Data: filepath.Join(t.TempDir(), "data")}
	precious := filepath.Join(cfg.Data, "precious")
	if err := os.MkdirAll(precious, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := resetDemo(cfg, &out); err != nil || !strings.Contains(out.String(), "nothing was removed") {
		t.Errorf("without a demo: %v, %s", err, &out)
	}
	if _, err := os.Stat(precious); err != nil {
		t.Fatal("data that are no demo's were removed")
	}
	if err := (&demoState{People: 1}).write(cfg); err != nil {
		t.Fatal(err)
	}
	release, err := lock(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := resetDemo(cfg, &out); err == nil || !strings.Contains(err.Error(), "stop it first") {
		t.Errorf("under a running server: %v", err)
	}
	release()
	if err := resetDemo(cfg, &out); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(cfg.Data); !os.IsNotExist(err) {
		t.Errorf("still there: %v", err)
	}
}

func TestTheDemoIsForThisMachineOnly(t *testing.T) {
	for address, ok := range map[string]bool{"localhost:8080": true, "127.0.0.1:80": true, "[::1]:80": true, ":8080": false, "0.0.0.0:80": false, "192.0.2.1:80": false, "x": false} {
		if err := onlyHere(address); (err == nil) != ok {
			t.Errorf("%s: %v", address, err)
		}
	}
}
