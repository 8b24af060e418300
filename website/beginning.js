// The begin of a file, whatever a server makes of being asked for it. Nothing here touches the page.

/** How large a file is of which so many bytes came, at most so many were asked for, and all that came has `ended`; undefined where nobody says it. */
function totalOf({ status, headers }, length, most, ended) {
  const said = /\/(\d+)$/.exec(headers.get('content-range') ?? '');
  if (said) return Number(said[1]);
  if (status === 206) return length < most ? length : undefined;
  if (ended && length <= most) return length;
  const stands = !headers.has('content-encoding') && headers.get('content-length');
  return stands ? Number(stands) : undefined;
}

/** The first bytes of an answer, how large the file is, and whether they are the `whole` of it. No more of it is read. */
export async function beginning(answer, most) {
  const pieces = [];
  let length = 0;
  let ended = false;
  const reader = answer.body?.getReader();
  // One byte more tells that there is more.
  while (!ended && length <= most) {
    const { done, value } = (await reader?.read()) ?? { done: true };
    ended = done;
    if (value) pieces.push(value);
    length += value?.length ?? 0;
  }
  if (!ended) await reader.cancel();
  const bytes = new Uint8Array(await new Blob(pieces).arrayBuffer()).subarray(0, most);
  const total = totalOf(answer, length, most, ended);
  return { bytes, total, whole: total === bytes.length };
}
