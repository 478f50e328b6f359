package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"
)

// obj writes a JSON object from keys and values in turn, in that order. A nil value leaves its key out.
func obj(pairs ...any) json.RawMessage {
	var b bytes.Buffer
	b.WriteByte('{')
	for i := 0; i+1 < len(pairs); i += 2 {
		if isNil(pairs[i+1]) {
			continue
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		b.Write(encode(pairs[i]))
		b.WriteByte(':')
		b.Write(encode(pairs[i+1]))
	}
	b.WriteByte('}')
	return b.Bytes()
}

// arr writes a JSON array. Nil values are left out.
func arr(values ...any) json.RawMessage {
	var b bytes.Buffer
	b.WriteByte('[')
	for _, value := range values {
		if isNil(value) {
			continue
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		b.Write(encode(value))
	}
	b.WriteByte(']')
	return b.Bytes()
}

func isNil(value any) bool {
	raw, isRaw := value.(json.RawMessage)
	return value == nil || isRaw && raw == nil
}

// encode writes one value; raw JSON passes as it is, so that numbers keep their digits.
func encode(value any) []byte {
	if raw, ok := value.(json.RawMessage); ok {
		return raw
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(fmt.Sprintf("sandbox: %T has no JSON form", value)) // only strings, numbers and booleans come here
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// setID writes id into a resource: over the id it has, else right after resourceType. All other bytes stay.
func setID(raw json.RawMessage, id string) (json.RawMessage, error) {
	if gjson.GetBytes(raw, "id").Exists() {
		return sjson.SetBytes(raw, "id", id)
	}
	return insertAfter(raw, "resourceType", "id", encode(id))
}

// setVersion writes id, meta.versionId and meta.lastUpdated into a resource. All other bytes stay, the rest of meta too.
func setVersion(raw json.RawMessage, id string, number int, at time.Time) (json.RawMessage, error) {
	raw, err := setID(raw, id)
	if err != nil {
		return nil, err
	}
	version, updated := strconv.Itoa(number), at.UTC().Format("2006-01-02T15:04:05.000-07:00")
	if !gjson.GetBytes(raw, "meta").IsObject() {
		return insertAfter(raw, "id", "meta", obj("versionId", version, "lastUpdated", updated))
	}
	if raw, err = sjson.SetBytes(raw, "meta.versionId", version); err != nil {
		return nil, err
	}
	return sjson.SetBytes(raw, "meta.lastUpdated", updated)
}

// insertAfter puts a member right after the top-level member named before.
func insertAfter(raw json.RawMessage, before, key string, value []byte) (json.RawMessage, error) {
	member := gjson.GetBytes(raw, before)
	if !member.Exists() {
		return nil, fmt.Errorf("sandbox: resource without %s", before)
	}
	end := member.Index + len(member.Raw)
	out := make([]byte, 0, len(raw)+len(key)+len(value)+4)
	out = append(out, raw[:end]...)
	out = append(append(append(out, `,"`...), key...), `":`...)
	out = append(out, value...)
	return append(out, raw[end:]...), nil
}
