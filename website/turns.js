// Work that takes turns. Nothing here touches the page.

/** Lets so many go on at a time: gives what takes the next one's work, and gives what that comes to. */
export function turns(most) {
  const waiting = [];
  let busy = 0;
  function next() {
    if (busy === most || !waiting.length) return;
    busy += 1;
    waiting.shift()().finally(() => {
      busy -= 1;
      next();
    });
  }
  return (work) => new Promise((resolve, reject) => {
    waiting.push(async () => {
      try {
        resolve(await work());
      } catch (error) {
        reject(error);
      }
    });
    next();
  });
}

/** Gives what does some work anew, once more for all who ask while it goes on. */
export function once(work) {
  let going = false;
  let asked = false;
  return async () => {
    asked = true;
    if (going) return;
    going = true;
    try {
      while (asked) {
        asked = false;
        await work();
      }
    } finally {
      going = false;
    }
  };
}
