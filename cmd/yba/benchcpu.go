package main

import (
	"context"
	"time"

	"github.com/yba-health/yba/pkg/pg"
)

// processors is the processor time used so far by the server and by its
// private PostgreSQL; 0 where it is not told.
type processors struct{ server, database time.Duration }

func (b *bench) processors(ctx context.Context) processors {
	p := processors{server: time.Duration(b.metric(ctx, "process_cpu_seconds_total") * float64(time.Second))}
	if d, ok := pg.EmbeddedCPU(b.database); ok {
		p.database = d
	}
	return p
}

// spent notes what one request of m took between two readings.
func (m *measure) spent(before, after processors) {
	if m.Count == 0 {
		return
	}
	each := func(a, b time.Duration) float64 { return float64((b - a).Microseconds()) / float64(m.Count) }
	m.ServerCPU, m.DatabaseCPU = each(before.server, after.server), each(before.database, after.database)
}
