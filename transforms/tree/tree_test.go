package tree

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
)

func doc(text string) *Doc {
	d := new(Doc)
	d.Reset([]byte(text))
	return d
}

func path(t *testing.T, text string) Path {
	t.Helper()
	p, err := ParsePath(text)
	require.NoError(t, err)
	return p
}

func TestEditsKeepEveryOtherByte(t *testing.T) {
	const pretty = "\n{ \"a\" : 1.0 ,\n  \"b\":[ 1 , 2,3 ],\n  \"c\" : {\"d\": \"x\\u00e9\\/\"}\n} \n"
	for _, c := range []struct {
		name, text string
		edit       func(d *Doc)
		want       string
	}{
		{"nothing", pretty, func(*Doc) {}, pretty},
		{"looked at", pretty, func(d *Doc) { d.Get(d.Get(d.Root(), "c"), "d") }, pretty},
		{"the first member", pretty, func(d *Doc) { d.Remove(d.Get(d.Root(), "a")) }, "\n{\n  \"b\":[ 1 , 2,3 ],\n  \"c\" : {\"d\": \"x\\u00e9\\/\"}\n} \n"},
		{"the last member, and its object", pretty, func(d *Doc) { d.Remove(d.Get(d.Get(d.Root(), "c"), "d")) }, "\n{ \"a\" : 1.0 ,\n  \"b\":[ 1 , 2,3 ]} \n"},
		{"an element", pretty, func(d *Doc) { d.Remove(d.At(d.Get(d.Root(), "b"), 1)) }, "\n{ \"a\" : 1.0 ,\n  \"b\":[ 1 ,3 ],\n  \"c\" : {\"d\": \"x\\u00e9\\/\"}\n} \n"},
		{"a value", pretty, func(d *Doc) { d.SetString(d.Get(d.Root(), "a"), "q\"") }, "\n{ \"a\" : \"q\\\"\" ,\n  \"b\":[ 1 , 2,3 ],\n  \"c\" : {\"d\": \"x\\u00e9\\/\"}\n} \n"},
		{"a member more", "{\n  \"a\": 1\n}", func(d *Doc) { d.Put(d.Root(), "b", []byte("2")) }, "{\n  \"a\": 1,\n  \"b\":2\n}"},
		{"into nothing", "{ }", func(d *Doc) { d.Put(d.Root(), "b", []byte("2")) }, `{"b":2}`},
		{"an element more", "[]", func(d *Doc) { d.Append(d.Root(), []byte("2")) }, "[2]"},
		{"another order", "[1, 2,3]", func(d *Doc) { d.MoveLast(d.At(d.Root(), 0)) }, "[ 2,3,1]"},
		{"another name", `{"a" : 1}`, func(d *Doc) { d.Rename(d.Get(d.Root(), "a"), "b") }, `{"b" : 1}`},
		{"below what was made", `{"a":1}`, func(d *Doc) { d.Put(d.Put(d.Root(), "b", []byte(`{"c": [1]}`)), "d", []byte("2")) }, `{"a":1,"b":{"c": [1],"d":2}}`},
		{"an element and its extension", `{"given":["A","B"],"_given":[null,{"id":"x"}]}`, func(d *Doc) { d.Remove(d.At(d.Get(d.Root(), "given"), 1)) }, `{"given":["A"],"_given":[null]}`},
		{"an object, beside which nothing stands", `{"coding":[{"code":"A"},{"code":"B"}],"_coding":[null,{"id":"x"}]}`, func(d *Doc) { d.Remove(d.At(d.Get(d.Root(), "coding"), 1)) }, `{"coding":[{"code":"A"}],"_coding":[null,{"id":"x"}]}`},
		{"everything", `{"a":[{"b":1}]}`, func(d *Doc) { d.Remove(d.Get(d.At(d.Get(d.Root(), "a"), 0), "b")) }, `{}`},
		{"the whole", ` {"a":1} `, func(d *Doc) { d.SetRaw(d.Root(), []byte("[1]")) }, ` [1] `},
		{"nothing that is there", `{"a":1}`, func(d *Doc) {
			d.Remove(None)
			d.SetRaw(None, []byte("1"))
			d.Put(d.Get(d.Root(), "a"), "b", []byte("1"))
		}, `{"a":1}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := doc(c.text)
			c.edit(d)
			got := string(d.AppendTo(nil))
			require.Equal(t, c.want, got)
			require.Equal(t, c.want != c.text, d.Edited())
			require.True(t, json.Valid([]byte(got)))
		})
	}
}

func TestValues(t *testing.T) {
	d := doc(`{"s":"a\u0062\n","n":-1.50e3,"t":true,"z":null,"o":{},"l":[1,[2]],"\u006d":"x"}`)
	root := d.Root()
	require.Equal(t, Object, d.Kind(root))
	require.Equal(t, "ab\n", d.Text(d.Get(root, "s")))
	require.True(t, d.Is(d.Get(root, "s"), "ab\n"))
	require.Equal(t, "xab\n", string(d.AppendText([]byte("x"), d.Get(root, "s"))))
	require.Empty(t, d.AppendText(nil, d.Get(root, "t")))
	require.Equal(t, Number, d.Kind(d.Get(root, "n")))
	require.Equal(t, "-1.50e3", string(d.Raw(d.Get(root, "n"))))
	require.Empty(t, d.Text(d.Get(root, "n")))
	require.Equal(t, Bool, d.Kind(d.Get(root, "t")))
	require.Equal(t, Null, d.Kind(d.Get(root, "z")))
	require.Equal(t, 0, d.Len(d.Get(root, "o")))
	require.Equal(t, 2, d.Len(d.Get(root, "l")))
	require.Equal(t, "x", d.Text(d.Get(root, "m")))
	require.Equal(t, Missing, d.Kind(d.Get(root, "no")))
	require.Equal(t, None, d.Get(d.Get(root, "no"), "further"))
	require.Equal(t, "2", string(d.Raw(d.At(d.At(d.Get(root, "l"), 1), 0))))
	require.Equal(t, 1, d.Index(d.At(d.Get(root, "l"), 1)))
}

func TestBeside(t *testing.T) {
	d := doc(`{"a":1,"\u005fa":{},"\u0062":2,"_b":{},"c":3,"_d":{},"":4,"_":{}}`)
	for name, want := range map[string]string{"a": "_a", "b": "_b", "c": "", "_d": "", "": ""} {
		require.Equal(t, want, d.Name(d.Beside(d.Get(d.Root(), name))), name)
	}
	require.Equal(t, None, d.Beside(None))
	require.Equal(t, None, d.Beside(d.Root()))
}

func TestPaths(t *testing.T) {
	const text = `{"name":[{"use":"old","given":["A","B"]},{"use":"usual","given":["C"],"a.b":1}],"7":"seven"}`
	for p, want := range map[string][]string{
		"name.given":                 {`["A","B"]`, `["C"]`},
		"name.#.given":               {`["A","B"]`, `["C"]`},
		"name.#.given.#":             {`"A"`, `"B"`, `"C"`},
		"name.given.#":               {`"A"`, `"B"`, `"C"`},
		"name.1.given.0":             {`"C"`},
		`name.#(use=="usual").given`: {`["C"]`},
		`name.#(use!="none")#.use`:   {`"old"`, `"usual"`},
		`name.#(use!="none").use`:    {`"old"`},
		`name.#(given.#(=="B")).use`: {`"old"`},
		`name.a\.b`:                  {`1`},
		"7":                          {`"seven"`},
		"name.2.use":                 nil,
		"use.#.given":                nil,
		"name.given.#.further":       nil,
		"name.#.#":                   nil,
	} {
		d := doc(text)
		var got []string
		path(t, p).Each(d, d.Root(), func(n Node) bool {
			got = append(got, string(d.Raw(n)))
			return true
		})
		require.Equal(t, want, got, p)
	}
	for _, p := range []string{"", ".", "a.", "a..b", "a*", "@reverse", "a.#(b", "{a,b}", "a|b", "#(a)b"} {
		_, err := ParsePath(p)
		require.Error(t, err, p)
	}
}

func TestConditionsAreThoseOfGjson(t *testing.T) {
	const list = `[{"a":"x"},{"a":"x\u0079"},{"a":5},{"a":true},{"a":null},{"a":["x"]},{"a":{"b":"x"}},{"b":"x"},"x",["x"],{"a":""},{"a":[{"b":"x"}]},{"a":"x","a":"y"}]`
	for _, query := range []string{
		`#(a=="x")#`, `#(a=="xy")#`, `#(a=="5")#`, `#(a==5)#`, `#(a=="true")#`, `#(a=="")#`, `#(a=="~true")#`, `#(a!="x")#`, `#(a.b=="x")#`, `#(a.#.b=="x")#`,
		`#(a.b.c=="x")#`, `#(=="x")#`, `#(a=="null")#`, `#(a=="x\"")#`, `#(a)#`,
	} {
		d := doc(list)
		var got []string
		path(t, query).Each(d, d.Root(), func(n Node) bool { got = append(got, string(d.Raw(n))); return true })
		var want []string
		for _, element := range gjson.Get(list, query).Array() {
			want = append(want, element.Raw)
		}
		require.Equal(t, want, got, query)
	}
}

func TestPut(t *testing.T) {
	for _, c := range [][3]string{
		{`{}`, "status", `{"status":1}`},
		{`{"status":2}`, "status", `{"status":1}`},
		{`{}`, "context.period.end", `{"context":{"period":{"end":1}}}`},
		{`{}`, "content.0.attachment.url", `{"content":[{"attachment":{"url":1}}]}`},
		{`{"content":[{}]}`, "content.1.a", `{"content":[{},{"a":1}]}`},
		{`{"content":[{},{"a":2}]}`, "content.#.a", `{"content":[{"a":1},{"a":1}]}`},
		{`{"content":[{},{"a":2}]}`, "content.a", `{"content":[{"a":1},{"a":1}]}`},
		{`{"content":[{},{"a":2}]}`, "content.#(a==2).a", `{"content":[{},{"a":1}]}`},
		{`{}`, "content.#.a", `{}`},
		{`{}`, "content.1.a", `{}`},
		{`{}`, "content.a.#.b", `{}`},
		{`{"content":[]}`, "content.0.#.b", `{"content":[]}`},
		{`{"content":[{}]}`, "content.5.a", `{"content":[{}]}`},
		{`{"a":"text"}`, "a.b", `{"a":"text"}`},
	} {
		d := doc(c[0])
		put := path(t, c[1]).Put(d, d.Root(), []byte("1"))
		require.Equal(t, c[2], string(d.AppendTo(nil)), c[1])
		require.Equal(t, c[0] != c[2], put, c[1])
	}
}

func TestRemovingWhileVisiting(t *testing.T) {
	d := doc(`{"name":[{"use":"old"},{"use":"usual"},{"use":"old"}]}`)
	path(t, `name.#(use=="old")#`).Each(d, d.Root(), func(n Node) bool { d.Remove(n); return true })
	require.Equal(t, `{"name":[{"use":"usual"}]}`, string(d.AppendTo(nil)))
}

func FuzzTree(f *testing.F) {
	f.Add(`{"a":[1,{"b":"c"}],"d":null}`, "a.#.b", uint8(0))
	f.Add(` [ {"name":[{"given":["A" , "B"],"_given":[null,{}]}]} ] `, "#.name.0.given.1", uint8(1))
	f.Add(`{"a":{"b":1 , "c":2 },"d" : [ {"b":1} , 2 ] }`, "a.b", uint8(0))
	f.Fuzz(func(t *testing.T, text, where string, what uint8) {
		p, err := ParsePath(where)
		if err != nil || !json.Valid([]byte(text)) {
			return
		}
		d, whole := doc(text), doc(text)
		whole.readAll(whole.Root())
		edit(d, p, what)
		edit(whole, p, what)
		out := d.AppendTo(nil)
		if !json.Valid(out) {
			t.Fatalf("%q became %q", text, out)
		}
		if !d.Edited() && string(out) != text {
			t.Fatalf("%q became %q though nothing was edited", text, out)
		}
		if read := whole.AppendTo(nil); string(read) != string(out) {
			t.Fatalf("%q became %q, and %q when all of it had been read before", text, out, read)
		}
	})
}

// edit does something to what p leads to.
func edit(d *Doc, p Path, what uint8) {
	switch what % 4 {
	case 0:
		p.Each(d, d.Root(), func(n Node) bool { d.Remove(n); return true })
	case 1:
		p.Put(d, d.Root(), []byte(`{"x":[1]}`))
		p.Each(d, d.Root(), func(n Node) bool { d.Append(d.Get(n, "x"), []byte("2")); return true })
	case 2:
		var found []Node // moving one would keep Each from an end
		p.Each(d, d.Root(), func(n Node) bool { found = append(found, n); return true })
		for _, n := range found {
			d.MoveLast(n)
			d.Rename(n, "\x00\"")
		}
	case 3:
		p.Each(d, d.Root(), func(n Node) bool { d.SetString(n, d.Text(n)+"."); d.PutString(n, "a", "b"); return true })
	}
}

// readAll reads everything below n.
func (d *Doc) readAll(n Node) {
	for child := d.First(n); child != None; child = d.Next(child) {
		d.readAll(child)
	}
	d.finish(n)
}
