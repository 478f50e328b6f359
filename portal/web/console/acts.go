package console

import (
	"maps"
	"slices"
	"strings"

	"fhirgate/portal/store"
)

// actWords says in plain English what each act was.
func actWords() map[string]string {
	return map[string]string{ //nolint:gosec // "password" and the like are of names, none is a secret
		"access.approve":  "Approved a request",
		"access.end":      "Ended an access",
		"access.refuse":   "Refused a request",
		"access.request":  "Asked for access",
		"access.withdraw": "Withdrew a request",

		"acts.export":         "Exported the audit trail",
		"acts.verify":         "Had the audit trail verified",
		"announcement.create": "Announced something",
		"announcement.end":    "Ended an announcement",

		"app.archive": "Archived an app",
		"app.create":  "Made an app",
		"app.update":  "Changed an app",

		"credential.adopt":           "Found a key that was made elsewhere",
		"credential.create":          "Made a key",
		"credential.failed":          "Could not make a key",
		"credential.found":           "Found a lost key again",
		"credential.lost":            "Missed a key at the gateway",
		"credential.revoke":          "Revoked a key",
		"credential.rotate":          "Began a key's rotation",
		"credential.rotation-broken": "Could not rotate a key",
		"credential.update":          "Changed a key",

		"gateway.reload": "Asked for a reload of the files",
		"hospital.check": "Checked a hospital",

		"invitation.create":   "Invited somebody",
		"invitation.withdraw": "Withdrew an invitation",

		"team.create":         "Made a team",
		"team.member":         "Gave somebody a role in a team",
		"team.member-removed": "Took somebody out of a team",
		"team.rename":         "Renamed a team",

		"user.create":         "Made an account",
		"user.disable":        "Disabled an account",
		"user.enable":         "Let an account in again",
		"user.login":          "Signed in",
		"user.login-refused":  "Was not let in",
		"user.oidc":           "Linked an account to the company's sign-in",
		"user.password":       "Set a password",
		"user.no-password":    "Took a password away",
		"user.recovery-code":  "Used a recovery code",
		"user.recovery-codes": "Made new recovery codes",
		"user.rename":         "Changed a name",
		"user.role":           "Changed an account's role",
		"user.sessions":       "Ended all sessions",
		"user.totp":           "Set up a second factor",
		"user.reset-link":     "Made a link for a new password",
		"user.totp-removed":   "Took a second factor away",
	}
}

// detailWords are names of details that do not speak for themselves.
func detailWords() map[string]string {
	return map[string]string{
		"email": "e-mail address", "team_role": "role in the team", "key": "key id", "left": "codes left",
	}
}

// shownAct is an act as people read it.
type shownAct struct {
	store.Act
	Words   string // "" = it is of a name without words
	Details []actDetail
}

// actDetail is one thing that is worth knowing of an act.
type actDetail struct{ Name, Text, Href string }

// actsShown returns acts as people read them.
func actsShown(acts []store.Act) []shownAct {
	words, names := actWords(), detailWords()
	shown := make([]shownAct, len(acts))
	for i, act := range acts {
		shown[i] = shownAct{Act: act, Words: words[act.Name]}
		for _, name := range slices.Sorted(maps.Keys(act.Detail)) {
			text := act.Detail[name]
			if text == "" {
				continue
			}
			detail := actDetail{Name: names[name], Text: text}
			if detail.Name == "" {
				detail.Name = name
			}
			switch name {
			case "team", "user", "request":
				detail.Href = "/console/" + name + "s/" + text
			case "hospitals":
				detail.Text = strings.Join(strings.Fields(text), ", ")
			}
			shown[i].Details = append(shown[i].Details, detail)
		}
	}
	return shown
}

// actName is the name of an act and what it says.
type actName struct{ Name, Words string }

// actNames returns the names of all acts, in order.
func actNames() []actName {
	words := actWords()
	names := make([]actName, 0, len(words))
	for _, name := range slices.Sorted(maps.Keys(words)) {
		names = append(names, actName{name, words[name]})
	}
	return names
}
