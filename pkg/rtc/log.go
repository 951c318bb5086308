package rtc

import (
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// pionLogs sends pion's warnings to our log. Its lower levels name addresses
// of patients' machines.
type pionLogs struct{ log *slog.Logger }

func (p pionLogs) NewLogger(scope string) logging.LeveledLogger {
	return &pionLog{p.log.With("scope", "pion-"+scope)}
}

type pionLog struct{ log *slog.Logger }

func (*pionLog) Trace(string) {}

func (*pionLog) Tracef(string, ...any) {}

func (*pionLog) Debug(string) {}

func (*pionLog) Debugf(string, ...any) {}

func (*pionLog) Info(string) {}

func (*pionLog) Infof(string, ...any) {}

func (l *pionLog) Warn(m string) { l.log.Debug(m) }

func (l *pionLog) Warnf(f string, a ...any) {
	l.log.Debug(fmt.Sprintf(f, a...))
}

func (l *pionLog) Error(m string) { l.log.Debug(m) }

func (l *pionLog) Errorf(f string, a ...any) {
	l.log.Debug(fmt.Sprintf(f, a...))
}
