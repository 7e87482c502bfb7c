// Says that a user is blocked, or that a token is refused: until when and why.
import { date } from "../lib/format";
import { useRefusal } from "../state/refusal";
import { href } from "../state/route";
import { Raw } from "../ui/parts";

export function Blocked({ user, jti }: { user: string; jti?: string | undefined }) {
  const found = useRefusal(user, jti);
  if (!found) return null;
  return (
    <span class="blocked">
      {found.jti === undefined ? <><Raw>{user}</Raw> is blocked</> : <>This token of <Raw>{user}</Raw> is refused</>} until <span class="nowrap">{date(found.until)}</span>
      {found.reason && <> (<Raw>{found.reason}</Raw>)</>}. <a href={href("revocations")}>Revocations</a>
    </span>
  );
}
