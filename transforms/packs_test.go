package transforms

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// packs are the vendors whose files ship.
var packs = []string{
	"aidbox", "athenahealth", "azure", "eclinicalworks", "epic", "google", "hapi",
	"healthlake", "meditech", "medplum", "nextgen", "oracle", "smilecdr", "veradigm",
}

const packsPage = "../docs/vendor-packs.md"

// TestEveryPackTellsItsSources keeps the page of packs as the files are. UPDATE
// writes it.
func TestEveryPackTellsItsSources(t *testing.T) {
	vendors, err := Load(Shipped, ".")
	require.NoError(t, err)
	require.Equal(t, packs, slices.Sorted(maps.Keys(vendors)))

	var page strings.Builder
	page.WriteString("# The vendor packs\n\n" +
		"Made from the vendor files (UPDATE=1 go test ./transforms -run EveryPack): do not edit.\n\n" +
		"What is known of each vendor, by its public documents and by recorded answers of sandboxes. None was tried at a hospital of yours:\n" +
		"take each fact as one to look at there, and say in the [hospital's file](add-a-hospital.md) what differs. The files with their tests are in\n" +
		"`transforms/`; [vendor-operations.md](vendor-operations.md) says what each operation does.\n")
	for _, name := range packs {
		vendor := vendors[name]
		require.NotEmpty(t, vendor.Sources, "%s: sources", name)
		require.NotEmpty(t, vendor.Unknown, "%s: unknown", name)
		fmt.Fprintf(&page, "\n## %s\n\n", name)
		if vars := vendor.CheckVars("any", nil, nil); len(vars) > 0 {
			fmt.Fprintf(&page, "Vars of the hospital's file: `%s`.\n\n", strings.Join(vars, "`, `"))
		}
		page.WriteString("Rules, requests first:\n\n")
		for _, rule := range vendor.rules {
			fmt.Fprintf(&page, "- %s\n", rule.name)
		}
		for _, rule := range vendor.answers {
			effect := ""
			if rule.effect != 0 {
				effect = " (" + rule.effect.String() + ")"
			}
			fmt.Fprintf(&page, "- %s%s\n", rule.name, effect)
		}
		page.WriteString("\nNot covered, or not known:\n\n")
		for _, text := range vendor.Unknown {
			fmt.Fprintf(&page, "- %s\n", text)
		}
		page.WriteString("\nSources:\n\n")
		for _, text := range vendor.Sources {
			fmt.Fprintf(&page, "- %s\n", address.ReplaceAllString(text, "<$0>"))
		}
	}
	if os.Getenv("UPDATE") != "" {
		require.NoError(t, os.WriteFile(packsPage, []byte(page.String()), 0o644))
	}
	written, err := os.ReadFile(packsPage)
	require.NoError(t, err)
	require.Equal(t, page.String(), string(written), "docs/vendor-packs.md is made by UPDATE=1 go test ./transforms -run EveryPack")
}

var address = regexp.MustCompile(`https://[^ ,;:()]+[^ ,;:().]`)
