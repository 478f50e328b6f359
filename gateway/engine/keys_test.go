package engine

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestKeysAreFoundWithoutTyk: a key made by the control API lies under KeyName.
func TestKeysAreFoundWithoutTyk(t *testing.T) {
	h := startHost(t, ChainPost)
	store := redis.NewClient(&redis.Options{Addr: h.redis})
	defer store.Close()
	ctx := context.Background()

	_, body := get(t, h.url("/keys"))
	token, rest, _ := strings.Cut(body, " ")
	require.Equal(t, "<nil>", rest)
	raw, err := store.Get(ctx, KeyName(token)).Bytes()
	require.NoError(t, err)
	session, err := ParseSession(raw)
	require.NoError(t, err)
	assert.Equal(t, "pacs", session.Alias)
	assert.Equal(t, []string{"plan"}, session.Policies)
	assert.Equal(t, map[string]any{"app": "a1"}, session.Metadata)
	assert.NotContains(t, string(raw), token, "the token itself is stored")
	for _, name := range store.Keys(ctx, "*").Val() {
		assert.NotContains(t, name, token)
	}
	hash := KeyHash(token)
	_, body = get(t, h.url("/keys/without-plan"))
	assert.Contains(t, body, "Tyk's control API answered 500", "a key without a plan must not open everything")
	_, body = get(t, h.url("/keys/odd"))
	assert.Contains(t, body, "not a token of NewToken")
	_, body = get(t, h.url("/keys/list"))
	assert.Equal(t, "["+hash+"] <nil>", body)
	_, body = get(t, h.url("/keys/show?hash="+hash))
	assert.Equal(t, "pacs <nil>", body)
	_, body = get(t, h.url("/keys/update?hash="+hash))
	assert.Equal(t, "<nil>", body)
	_, body = get(t, h.url("/keys/show?hash="+hash))
	assert.Equal(t, "renamed <nil>", body)
	_, body = get(t, h.url("/keys/delete?hash="+hash))
	assert.Equal(t, "<nil>", body)
	assert.Zero(t, store.Exists(ctx, KeyName(token)).Val())
	_, body = get(t, h.url("/keys/delete?hash="+hash))
	assert.Equal(t, ErrNoKey.Error(), body)
	_, body = get(t, h.url("/keys/show?hash="+hash))
	assert.Equal(t, " "+ErrNoKey.Error(), body)
}

func TestKeyHash(t *testing.T) {
	token := NewToken()
	form := base64.StdEncoding.EncodeToString([]byte(`{"org":"fhirgate","id":"` + token + `","h":"sha256"}`))
	sum := sha256.Sum256([]byte(form))
	assert.Equal(t, hex.EncodeToString(sum[:]), KeyHash(token))
	assert.Equal(t, "apikey-"+KeyHash(token), KeyName(token))
}

func TestTokens(t *testing.T) {
	assert.NotEqual(t, NewToken(), NewToken())
	assert.True(t, ValidToken(NewToken()))
	for _, bad := range []string{"", "fg_", NewToken() + "x", NewToken()[:45], "fg_" + strings.Repeat(`"`, 43), "xx_" + strings.Repeat("a", 43)} {
		assert.False(t, ValidToken(bad), bad)
	}
}

func BenchmarkKeyName(b *testing.B) {
	token := NewToken()
	b.ReportAllocs()
	for b.Loop() {
		KeyName(token)
	}
}
