// The page: templates, lists that change in place, and how money and time are written.

/** The element with this id. */
export const byId = (id) => document.getElementById(id);

/** The part of an element that its template calls `name`. */
export const part = (element, name) => element.querySelector(`[data-part="${name}"]`);

/** A new element from a template of the page. */
export const fromTemplate = (id) => byId(id).content.firstElementChild.cloneNode(true);

/** Set an element's text, unless it is the same: screen readers would read it again. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Keep the children of `parent` in step with `items`: one child for each, made once by `make` and changed in place by
 * `update`, so that focus and animations stay where they are.
 */
export function keepList(parent, items, keyOf, make, update) {
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const keys = items.map((item) => String(keyOf(item)));
  for (const [key, child] of known) if (!keys.includes(key)) child.remove();
  let place = parent.firstElementChild;
  items.forEach((item, index) => {
    let child = known.get(keys[index]);
    if (!child) {
      child = make(item);
      child.dataset.key = keys[index];
    }
    update(child, item);
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
  });
}

const NUMBER = new Intl.NumberFormat('ko-KR');

/** An amount of won. */
export const won = (amount) => `${NUMBER.format(amount)}원`;

/** Whole minutes since a time of the service. */
export const minutesSince = (time) => Math.max(0, Math.floor((Date.now() - Date.parse(time)) / 60_000));

/** How long ago that was. */
export function elapsed(time) {
  const minutes = minutesSince(time);
  if (minutes < 1) return '방금';
  return minutes < 60 ? `${minutes}분` : `${Math.floor(minutes / 60)}시간 ${minutes % 60}분`;
}

/** What the statuses of an order are called. */
export const STATUS = {
  pending: '접수',
  preparing: '조리 중',
  ready: '조리 완료',
  served: '서빙 완료',
  cancelled: '취소됨',
};

const CONNECTION = { connecting: '연결하는 중…', live: '연결됨', reconnecting: '다시 연결하는 중…' };

/** Show how the connection is. While it is lost, everything around `element` says so. */
export function showConnection(element, state) {
  setText(element, CONNECTION[state]);
  element.closest('.pane').dataset.connection = state;
}

/** Ask before something that cannot be undone. Resolves to the words typed in, or to null for no. */
export function ask({ title, text, yes, wantsReason = false }) {
  const dialog = byId('ask');
  const [reason, go] = [part(dialog, 'reason'), part(dialog, 'yes')];
  setText(part(dialog, 'title'), title);
  setText(part(dialog, 'text'), text);
  setText(go, yes);
  reason.value = '';
  part(dialog, 'reason-field').hidden = !wantsReason;
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => {
    go.onclick = () => dialog.close('yes');
    part(dialog, 'no').onclick = () => dialog.close();
    dialog.onclose = () => resolve(dialog.returnValue === 'yes' ? reason.value.trim() : null);
  });
}
