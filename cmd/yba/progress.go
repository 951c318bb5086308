package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/yba-health/yba/pkg/fhirclient"
)

// progress shows how far a load is: a bar on a terminal, else a plain line
// every five seconds, so that a log stays readable.
type progress struct {
	out       io.Writer
	title     string
	total     int
	done      int
	resources int
	begin     time.Time
	said      time.Time
	bar       *progressbar.ProgressBar
}

func newProgress(out *os.File, title string, total int) *progress {
	p := &progress{out: out, title: title, total: total, begin: time.Now(), said: time.Now()}
	if term.IsTerminal(int(out.Fd())) {
		p.bar = progressbar.NewOptions(total,
			progressbar.OptionSetWriter(out), progressbar.OptionSetDescription(title),
			progressbar.OptionShowCount(), progressbar.OptionSetWidth(30), progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionSetPredictTime(true), progressbar.OptionFullWidth())
	}
	return p
}

// each counts one bundle; it is a fhirclient.Load's Each.
func (p *progress) each(o fhirclient.Outcome) {
	p.done++
	if o.Err == nil && !o.Skipped && !o.Found {
		p.resources += o.Resources
	}
	rate := float64(p.resources) / max(time.Since(p.begin).Seconds(), 0.001)
	switch {
	case p.bar != nil:
		p.bar.Describe(fmt.Sprintf("%s %6.0f resources/s", p.title, rate))
		// A bar that cannot be drawn must not stop the load.
		_ = p.bar.Add(1)
	case time.Since(p.said) >= 5*time.Second:
		p.said = time.Now()
		fmt.Fprintf(p.out, "%s: %d of %d bundles, %.0f resources/s\n", p.title, p.done, p.total, rate)
	}
}

// finish ends the bar's line.
func (p *progress) finish() {
	if p.bar != nil {
		_ = p.bar.Finish()
		fmt.Fprintln(p.out)
	}
}
