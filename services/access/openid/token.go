package openid

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"strconv"
	"strings"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/services/access/account"
)

// TokenLife is how long an access token can be used.
const TokenLife = 15 * time.Minute

// An access token is opaque: the sealed text "<grant>.<expiry>:<account>".
// What it allows is looked up at every use, so that ending the grant, the
// session or the account acts at once, and nothing needs to be kept per token.

func tokenID(grant string, expires time.Time) string {
	return grant + "." + strconv.FormatInt(expires.Unix(), 36)
}

func parseTokenID(id string, now time.Time) (grant string, ok bool) {
	grant, expiry, found := strings.Cut(id, ".")
	if !found {
		return "", false
	}
	seconds, err := strconv.ParseInt(expiry, 36, 64)
	return grant, err == nil && now.Before(time.Unix(seconds, 0))
}

var errToken = fault.New(fault.Unauthenticated, "the token is not valid", nil)

// Holder returns who holds an access token.
func (p *Provider) Holder(ctx context.Context, token string) (Holder, error) {
	text, err := p.keys.Decrypt(token)
	if err != nil {
		return Holder{}, errToken
	}
	id, subject, _ := strings.Cut(text, ":")
	return p.holder(ctx, id, subject)
}

func (p *Provider) holder(ctx context.Context, id, subject string) (Holder, error) {
	grant, ok := parseTokenID(id, p.now())
	if !ok {
		return Holder{}, errToken
	}
	h, err := p.store.Holder(ctx, grant, p.now())
	if err != nil {
		return h, err
	}
	if h.Account.ID != subject {
		return Holder{}, errToken
	}
	return h, nil
}

// MachineClient is the app name of tokens that are made on the machine.
const MachineClient = "yba"

// NewToken makes an access token without a browser, for whoever may read the
// key file and the database.
func NewToken(ctx context.Context, store Store, keys *Keys, a account.Account, life time.Duration, now time.Time) (string, error) {
	expires := now.Add(life)
	s := Session{ID: account.NewID(), Account: a.ID, Method: "mca", Started: now, Expires: expires}
	if err := store.AddSession(ctx, s, nil); err != nil {
		return "", err
	}
	g := Grant{ID: account.NewID(), Session: s.ID, Client: MachineClient, Scopes: []string{"openid"}, Started: now}
	if err := store.AddGrant(ctx, g); err != nil {
		return "", err
	}
	return keys.Encrypt(tokenID(g.ID, expires) + ":" + a.ID)
}

// newSecret returns a secret that cannot be guessed and the hash under which
// it is kept. A plain hash is enough: there is nothing to try out.
func newSecret() (secret string, hash []byte) {
	secret = rand.Text() + rand.Text()
	return secret, hashOf(secret)
}

func hashOf(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}
