package tree

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPointers(t *testing.T) {
	for text, want := range map[string]Pointer{
		"":            {},
		"/":           {""},
		"/name/0/use": {"name", "0", "use"},
		"/a~1b/~01":   {"a/b", "~1"},
	} {
		p, ok := ParsePointer(text)
		require.True(t, ok, text)
		require.Equal(t, want, p)
		require.Equal(t, text, p.String())
	}
	_, ok := ParsePointer("name")
	require.False(t, ok)
}

func TestSameShape(t *testing.T) {
	for _, c := range []struct {
		a, b Pointer
		want bool
	}{
		{Pointer{"name", "0"}, Pointer{"name", "12"}, true},
		{Pointer{"name", "0"}, Pointer{"name", "-"}, true},
		{Pointer{"name", "0"}, Pointer{"name", "use"}, false},
		{Pointer{"name", ""}, Pointer{"name", "0"}, false},
		{Pointer{"name"}, Pointer{"name", "0"}, false},
	} {
		require.Equal(t, c.want, c.a.SameShape(c.b), "%v %v", c.a, c.b)
	}
}

func TestPointersMeetPaths(t *testing.T) {
	for _, c := range []struct {
		path, pointer string
		want          Relation
		rest          int
	}{
		{"name.#.family", "", Above, 3},
		{"name.#.family", "/name", Above, 2},
		{"name.#.family", "/name/0", Above, 1},
		{"name.#.family", "/name/-", Above, 1},
		{"name.#.family", "/name/0/family", Equal, 0},
		{"name.#.family", "/name/0/family/x", Below, 0},
		{"name.#.family", "/name/0/given", Apart, 0},
		{"name.#.family", "/name/family", Apart, 0},
		{"name.family", "/name/0", Above, 1},
		{"name.family", "/name/0/family", Equal, 0},
		{"name.family", "/gender", Apart, 0},
		{"name.1.family", "/name/0/family", Equal, 0},
		{`name.#(use=="old").family`, "/name/3/family", Equal, 0},
		{`name.#(use=="old").family`, "/name/x/family", Apart, 0},
		{"name", "/name/0/family", Below, 0},
	} {
		pointer, ok := ParsePointer(c.pointer)
		require.True(t, ok)
		got, rest := path(t, c.path).Meet(pointer)
		require.Equal(t, c.want, got, "%s %s", c.path, c.pointer)
		require.Equal(t, c.rest, rest.Len(), "%s %s", c.path, c.pointer)
	}
}

func TestPointersLeadToObjects(t *testing.T) {
	for _, c := range []struct {
		path, pointer, there, onward string
		ok                           bool
	}{
		{"name", "/name/0/use", "/name/0", "/use", true},
		{"name.#", "/name/0/use", "/name/0", "/use", true},
		{"name.#", "/name", "", "", false},
		{"name", "/name", "/name", "", true},
		{"name", "/gender", "", "", false},
	} {
		pointer, _ := ParsePointer(c.pointer)
		there, onward, ok := path(t, c.path).Lead(pointer)
		require.Equal(t, c.ok, ok, "%s %s", c.path, c.pointer)
		require.Equal(t, c.there, there.String())
		require.Equal(t, c.onward, onward.String())
	}
	there, onward, ok := Path{}.Lead(Pointer{"a", "b"})
	require.True(t, ok)
	require.Equal(t, "", there.String())
	require.Equal(t, "/a/b", onward.String())
}

func TestPartsOfPaths(t *testing.T) {
	require.True(t, path(t, "name.#.family").Plain())
	require.False(t, path(t, "name.0.family").Plain())
	require.False(t, path(t, `name.#(use=="old").family`).Plain())
	require.True(t, Path{}.IsZero())

	parent, name, ok := path(t, "name.#.family").Split()
	require.True(t, ok)
	require.Equal(t, "family", name)
	require.Equal(t, 2, parent.Len())
	_, _, ok = path(t, "name.#").Split()
	require.False(t, ok)

	beside, ok := path(t, "name.#.family").Beside()
	require.True(t, ok)
	d := doc(`{"name":[{"_family":{"id":"x"}}]}`)
	require.Equal(t, `{"id":"x"}`, string(d.Raw(beside.Find(d, d.Root()))))
	require.True(t, d.Aside(beside.Find(d, d.Root())))
	require.True(t, d.Named(beside.Find(d, d.Root()), "_family"))
	require.False(t, d.Named(beside.Find(d, d.Root()), "family"))
	require.False(t, d.Named(d.Root(), ""))
	_, ok = path(t, "name.#").Beside()
	require.False(t, ok)

	common, from, to, ok := path(t, "name.#.a.b").Diverge(path(t, "name.#.c"))
	require.True(t, ok)
	require.Equal(t, 2, common.Len())
	require.Equal(t, []string{"a", "b"}, from)
	require.Equal(t, []string{"c"}, to)
	for _, c := range [][2]string{{"name.#.a", "telecom.#.a"}, {"a", "a.b"}, {"a.0", "a.1"}, {"a", "a"}} {
		_, _, _, ok = path(t, c[0]).Diverge(path(t, c[1]))
		require.False(t, ok, c)
	}
}

func TestObjectsOfAPath(t *testing.T) {
	d := doc(`{"name":[{"use":"a"},"text",[{"use":"b"}]],"one":{"use":"c"}}`)
	for p, want := range map[string]int{"name": 2, "name.#": 2, "one": 1, "one.use": 0} {
		count := 0
		path(t, p).EachObject(d, d.Root(), func(Node) bool { count++; return true })
		require.Equal(t, want, count, p)
	}
}
