package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aymanbagabas/go-udiff"

	"fhirgate/transforms"
	"fhirgate/transforms/resource"
)

// explainAnswer tells what each rule did to an answer.
func (t *transform) explainAnswer(in io.Reader, trial *transforms.Trial) error {
	answer, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	_, reports, err := t.vendor.Explain(trial, answer)
	if err != nil {
		return err
	}
	var idle []string
	for _, r := range reports {
		if r.Changed == 0 {
			idle = append(idle, r.Name)
			continue
		}
		effect := ""
		if r.Effect != "" {
			effect = " (" + r.Effect + ")"
		}
		fmt.Fprintf(t.out, "%s%s: %d changed\n%s\n", r.Name, effect, r.Changed,
			udiff.Unified("before", "after", pretty(string(r.Before)), pretty(string(r.After))))
	}
	t.printList("did nothing", idle)
	return nil
}

// refuse tells what an error means.
func (t *transform) refuse(in io.Reader) error {
	body, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	meant := t.vendor.Refuse(t.call, t.query, t.status, make(http.Header), body, time.Now())
	fmt.Fprintf(t.out, "status: %d\n", meant.Status)
	if meant.Code != "" {
		fmt.Fprintf(t.out, "issue: %s: %s\n", meant.Code, meant.Text)
	}
	if meant.RetryAfter > 0 {
		fmt.Fprintf(t.out, "retry after: %s\n", meant.RetryAfter.Round(time.Second))
	}
	if t.explain {
		t.printList("said by", meant.Rules)
	}
	return nil
}

// takeBack takes a body to the hospital.
func (t *transform) takeBack(in io.Reader) error {
	body, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	if !json.Valid(body) {
		return errors.New("the file is not JSON")
	}
	header := make(http.Header)
	changed, applied, err := t.vendor.Inward(t.call, resource.Call{
		Now: time.Now(), Bases: []string{strings.TrimSuffix(t.base, "/")}, Header: header, SetHeader: header.Set, Context: context.Background(),
	}, body)
	if err != nil {
		return err
	}
	if !t.explain {
		_, err = t.out.Write(changed)
		return err
	}
	t.printList("changed by", applied)
	for _, name := range slices.Sorted(maps.Keys(header)) {
		fmt.Fprintf(t.out, "sent along: %s: %s\n", name, header.Get(name))
	}
	fmt.Fprint(t.out, udiff.Unified("before", "after", pretty(string(body)), pretty(string(changed))))
	return nil
}

func (t *transform) printList(what string, names []string) {
	if len(names) > 0 {
		fmt.Fprintf(t.out, "%s: %s\n", what, strings.Join(names, "; "))
	}
}

// pretty returns JSON, or NDJSON, with a member a line; other text as it is.
func pretty(text string) string {
	var out bytes.Buffer
	for line := range strings.Lines(text) {
		if json.Indent(&out, []byte(strings.TrimSpace(line)), "", "  ") != nil {
			out.Reset()
			if json.Indent(&out, []byte(text), "", "  ") != nil {
				return text
			}
			break
		}
		out.WriteByte('\n')
	}
	return out.String()
}
