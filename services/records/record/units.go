package record

import (
	"math/big"
	"strconv"
	"strings"
	"sync"

	"github.com/yba-health/yba/pkg/ucum"
)

// units remembers the units that resources use, which are few.
type units struct {
	mu   sync.RWMutex
	read map[string]*measured
}

// measured is a unit of UCUM. Where its factor is times × 10^shift and its
// zero is zero, which is the rule, no fractions are needed.
type measured struct {
	ucum.Unit
	times int64
	shift int
}

func newMeasured(u ucum.Unit) *measured {
	m := &measured{Unit: u}
	places, exact := u.Factor.FloatPrec()
	if u.Offset.Sign() != 0 || !exact || places > maxShift {
		return m
	}
	n := new(big.Int).Div(new(big.Int).Mul(u.Factor.Num(), power(places).Num()), u.Factor.Denom())
	if n.IsInt64() && n.Int64() < maxTimes {
		m.times, m.shift = n.Int64(), -places
	}
	return m
}

const (
	maxShift  = 30
	maxTimes  = 1_000_000_000
	fewDigits = 9
)

// amount returns a plain number of this unit in base units.
func (m *measured) amount(written string) string {
	if m.times == 1 && m.shift == 0 {
		return written
	}
	whole, fraction, _ := strings.Cut(strings.TrimPrefix(written, "-"), ".")
	if m.times != 0 && len(whole)+len(fraction) <= fewDigits {
		if v, err := strconv.ParseInt(whole+fraction, 10, 64); err == nil {
			sign := ""
			if written[0] == '-' {
				sign = "-"
			}
			return sign + shifted(v*m.times, m.shift-len(fraction))
		}
	}
	v, ok := new(big.Rat).SetString(written)
	if !ok {
		return written
	}
	return plain(m.Canonical(v))
}

// shifted writes v × 10^exp as plain does; v and exp are bounded.
func shifted(v int64, exp int) string {
	digits := strconv.FormatInt(v, 10)
	if exp >= 0 || v == 0 {
		if v != 0 {
			digits += strings.Repeat("0", exp)
		}
		return digits
	}
	if n := len(digits) + exp; n > 0 {
		return plainNumber(digits[:n] + "." + digits[n:])
	}
	return plainNumber("0." + strings.Repeat("0", -exp-len(digits)) + digits)
}

const maxUnits = 10_000

// get returns nil for what is no unit.
func (u *units) get(code string) *measured {
	u.mu.RLock()
	found, ok := u.read[code]
	u.mu.RUnlock()
	if ok {
		return found
	}
	if parsed, err := ucum.Parse(code); err == nil {
		found = newMeasured(parsed)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.read == nil || len(u.read) > maxUnits {
		u.read = map[string]*measured{}
	}
	u.read[code] = found
	return found
}
