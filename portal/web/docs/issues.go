package docs

const (
	readAgain = "A read may be tried again. After a write, look first whether it arrived: search for what you sent."
	report    = "Nothing that you can mend: give the request id to whoever runs the gateway."
	asItSays  = "The text says what, and “expression” where. Mend the request; sending the same again gives the same."
)

// issues are all that the gateway answers of itself, and what it makes of
// hospitals' errors that are no FHIR. Sorted by what a caller meets first.
var issues = []issue{
	{"login", "No credential, or one that is not known", []failure{
		{401, "The call carries no key or token, or one that is not known or was revoked.", "Send “Authorization: Bearer …” or “X-Api-Key: …”, not both. Look whether the key still works on the page of your app. A client's secret is for the token endpoint only: calls need a token."},
	}},
	{"expired", "Its time is over", []failure{
		{401, "The key, this secret of it, or the access token has expired.", "A key: use its newer secret, or make another key. A token: get a new one, a little before “expires_in” is over, and use it for many calls."},
		{410, "The link to a page or a file has expired, or the rules have changed since.", "Search again. Links to pages work for an hour, others for a day."},
	}},
	{"security", "Credentials or addresses where they must not be", []failure{
		{400, "The form of a search carries a credential, which would have gone to the hospital.", "Have that credential revoked, make a new one, and send it in a header."},
		{401, "A credential is in the address, where logs and histories keep it.", "Rotate it, and send the new one in a header."},
		{502, "The hospital's answer goes on or redirects to a host that is not allowed for it.", report},
	}},
	{"forbidden", "Not permitted", []failure{
		{403, "A scope is missing, or the resource lies beyond it; your plan is not active; the address or the way in is not allowed; a link was given to somebody else; or the hospital itself refuses.", "The text names what is missing. Ask for access under a plan that has it, or ask for a token with more scopes."},
	}},
	{"not-found", "Nothing of that kind", []failure{
		{404, "No such path, resource type, resource or operation; no hospital of this id within your plan; a link that the gateway did not give out.", "Check the hospital's id and the type, which is case-sensitive. What you may not see looks like what is not there."},
		{422, "A body refers to an attachment that is not there.", "Create the Binary first, or put the content into the attachment."},
	}},
	{"deleted", "Gone", []failure{
		{410, "The resource was deleted.", "Take it out of your records. Its history may still be there, where the hospital offers it."},
	}},
	{"not-supported", "Not offered", []failure{
		{400, "The hospital does not take the parameter like that, or the entry of a batch must be a call of its own.", asItSays},
		{403, "The hospital does not offer this interaction through the gateway.", "The API reference lists what each hospital has. Ask the administrators if you need more."},
		{405, "The method does not go with the path, or the hospital does not take it.", "See the header “Allow”."},
		{406, "The call asks for something other than JSON.", "Send “Accept: application/fhir+json”, and no “_format” but json."},
		{415, "The body is in a media type or an encoding that is not taken.", "Send “application/fhir+json”, for a patch “application/json-patch+json”, uncompressed."},
		{422, "The gateway cannot translate this patch for the hospital.", "Send a simpler patch, or update the whole resource."},
		{501, "The hospital does not support the interaction.", "The API reference lists what each hospital has."},
		{505, "The answer is too long for HTTP/1.0.", "Call with HTTP/1.1 or 2."},
	}},
	{"invalid", "Not as the path or FHIR wants it", []failure{
		{400, "The path, the query or the body contradicts itself: another type or id in the body than in the path, say, or a condition that selects nothing.", asItSays},
	}},
	{"structure", "Not the JSON that was expected", []failure{
		{400, "The body is not well-formed JSON, or not of the form that the call takes.", "The text names the byte or the element."},
		{422, "The JSON Patch, or what a body refers to, is not of the right form.", asItSays},
		{502, "The hospital's answer is not FHIR JSON: a login page or a proxy's error, often.", report},
	}},
	{"value", "A value that cannot be", []failure{
		{400, "An id, a date, a header or a type of Bundle is not one.", asItSays},
		{422, "The body or a parameter refers to another hospital, or holds a link that is not yours. Nothing was sent.", "Refer to resources of the hospital that you call, as “Patient/1”."},
	}},
	{"required", "Something is missing", []failure{
		{400, "The hospital takes this search only with another parameter, or your plan wants a header that names the person or the purpose.", "The text lists what is accepted. Appointments often need a patient or locations beside the day: the quick start shows how."},
	}},
	{"business-rule", "A rule of the hospital's system", []failure{
		{422, "The change cannot be made without losing something that the gateway has translated, or the hospital would not take it. Nothing was sent.", "The text names the rules. Send what it says is missing."},
	}},
	{"processing", "The hospital said no", []failure{
		{400, "The hospital refused and did not say why in a form that FHIR knows.", "Compare the call with the API reference. The administrators can look at the hospital's side."},
		{422, "The same, of what the resource holds.", "Check required elements and codes with the hospital's own guide."},
	}},
	{"conflict", "Changed in the meantime", []failure{
		{409, "The resource was changed since you read it, or exists already.", "Read it again, make your change to that, and send it with its “ETag” as “If-Match”."},
		{412, "“If-Match” names another version, or a condition finds more than one resource.", "Read again, then write again."},
		{428, "The hospital changes nothing without “If-Match”.", "Send the “ETag” of what you read as “If-Match”."},
	}},
	{"too-long", "Too large", []failure{
		{400, "The search lists more values than fit.", "Search for fewer at a time."},
		{403, "The answer is too large to be checked against your scopes.", "Ask for smaller pages with “_count”."},
		{413, "The body, or a batch, is too large.", "JSON may have 100 MiB, a batch a limited number of entries. Send large files as a Binary."},
		{422, "Attachments that the body refers to are too large together.", "Send them in calls of their own."},
		{502, "The hospital's answer is larger than is passed on, or has a link too long to keep.", "Ask for less at once, with “_count” or more parameters. Else give the request id to whoever runs the gateway."},
	}},
	{"throttled", "Too much at once", []failure{
		{429, "A limit is reached: your plan's rate or quota, unknown credentials from your address, or what the hospital allows the gateway.", "Wait as long as “Retry-After” says. “RateLimit” tells with every answer what is left; ask before it is nothing."},
		{503, "The gateway holds as many large bodies as it can.", "Wait as long as “Retry-After” says, and send large bodies one after another."},
	}},
	{"transient", "Away for the moment", []failure{
		{502, "The hospital cannot be reached, broke off, or refused the gateway's own login.", readAgain},
		{503, "The hospital is not available or is left alone after failures, or the key or the limit cannot be checked.", "Wait as long as “Retry-After” says. " + readAgain},
	}},
	{"timeout", "Too slow", []failure{
		{503, "The call was ended before the hospital answered: the gateway is being restarted.", readAgain},
		{504, "The hospital did not answer in time.", readAgain + " Smaller pages are answered sooner."},
	}},
	{"exception", "Something failed", []failure{
		{500, "A fault of the gateway.", report},
		{502, "The hospital failed with an error of its own.", readAgain},
	}},
	{"no-store", "The audit trail cannot be written", []failure{
		{503, "Calls that the audit trail would miss are refused.", "Wait as long as “Retry-After” says."},
	}},
}
