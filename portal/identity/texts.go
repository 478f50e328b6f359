package identity

import (
	"fmt"
	"net/url"
	"time"
)

// The mails: plain, short, and without anything that somebody else could have
// written into them.

const foot = "\n\nThe link works once. If you did not expect this mail, you need not do anything.\n"

func invitationMail(link string, expires time.Time) (subject, text string) {
	return "You are invited to the developer portal",
		fmt.Sprintf("You are invited to make an account at the developer portal.\n\nUntil %s UTC:\n%s", expires.UTC().Format("2 January 2006, 15:04"), link) + foot
}

// teamInvitationMail is the same for those who have an account and those who have
// none.
func teamInvitationMail(link string, expires time.Time) (subject, text string) {
	return "You are invited into a team",
		fmt.Sprintf("You are invited into a team at the developer portal. Sign in to join it, or make an account if you have none yet.\n\nUntil %s UTC:\n%s",
			expires.UTC().Format("2 January 2006, 15:04"), link) + foot
}

func verificationMail(link string) (subject, text string) {
	return "Confirm your e-mail address",
		"You are about to sign up at the developer portal.\n\nConfirm that this address is yours, and choose a password, within " + words(verifyLife) + ":\n" + link + foot
}

func accountExistsMail(public string) (subject, text string) {
	return "You have an account already",
		"Somebody, probably you, has asked to sign up at the developer portal with this address. It has an account already.\n\nSign in:\n" +
			public + "/login\n\nIf you have forgotten your password:\n" + public + "/forgot-password\n"
}

func resetMail(link string) (subject, text string) {
	return "Set a new password",
		"Somebody, probably you, has asked for a new password at the developer portal.\n\nSet it within " + words(resetLife) + ":\n" + link + foot
}

func resetLink(public, token string) string {
	return public + "/reset-password?token=" + url.QueryEscape(token)
}

func verifyLink(public, token string) string {
	return public + "/verify-email?token=" + url.QueryEscape(token)
}
