package openid

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// Keys sign ID tokens and seal access tokens. Both come from one file, so that
// several processes of access need to share just that.
type Keys struct {
	id      string
	private *rsa.PrivateKey
	seal    cipher.AEAD
}

const keyFile = "signing-key.pem"

// LoadKeys reads the key file in folder, or makes it at the first start,
// readable to this account only.
func LoadKeys(folder string) (*Keys, error) {
	path := filepath.Join(folder, keyFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		b, err = makeKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, fmt.Errorf("signing key: %s is no PEM file; restore it from the backup, or remove it and all people sign in anew", path)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w", path, err)
	}
	private, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("signing key %s: an RSA key is expected", path)
	}
	return newKeys(private, block.Bytes)
}

// makeKey makes an RSA key, which every OpenID client understands (OpenID
// Connect Core 1.0 section 15.1 asks for RS256).
func makeKey(path string) ([]byte, error) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	b := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	tmp, err := os.CreateTemp(filepath.Dir(path), keyFile+"-*") // mode 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(b)
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return nil, err
	}
	// Linking fails when another process was faster; then its key counts.
	if err := os.Link(tmp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return os.ReadFile(path)
}

func newKeys(private *rsa.PrivateKey, der []byte) (*Keys, error) {
	secret, err := hkdf.Key(sha256.New, der, nil, "yba access token", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	public := x509.MarshalPKCS1PublicKey(&private.PublicKey)
	sum := sha256.Sum256(public)
	return &Keys{id: hex.EncodeToString(sum[:8]), private: private, seal: aead}, nil
}

// Encrypt seals a text; it makes Keys an op.Crypto.
func (k *Keys) Encrypt(s string) (string, error) {
	nonce := make([]byte, k.seal.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(k.seal.Seal(nonce, nonce, []byte(s), nil)), nil
}

var errSeal = errors.New("not sealed by this installation")

// Decrypt opens what Encrypt sealed.
func (k *Keys) Decrypt(s string) (string, error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) < k.seal.NonceSize() {
		return "", errSeal
	}
	plain, err := k.seal.Open(nil, b[:k.seal.NonceSize()], b[k.seal.NonceSize():], nil)
	if err != nil {
		return "", errSeal
	}
	return string(plain), nil
}

var _ op.Crypto = (*Keys)(nil)

// signingKey is Keys as op.SigningKey.
type signingKey struct{ *Keys }

func (k signingKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k signingKey) Key() any                                    { return k.private }
func (k signingKey) ID() string                                  { return k.id }

// publicKey is Keys as op.Key, for the key set.
type publicKey struct{ *Keys }

func (k publicKey) Algorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k publicKey) Key() any                           { return &k.private.PublicKey }
func (k publicKey) ID() string                         { return k.id }
func (k publicKey) Use() string                        { return "sig" }
